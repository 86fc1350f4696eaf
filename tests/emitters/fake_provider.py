"""A local HTTP server that answers like OpenAI and Anthropic, well enough for their SDKs.

The scenario is chosen by the text of the request: `scenario:error429` anywhere in it selects `error429`, the last one
named wins; without one the call succeeds. Every answer bears an id of its own and known token counts, so that a wrong
mapping shows as a wrong number. `python fake_provider.py` prints its address and serves until stdin closes.
"""

import base64
import json
import re
import struct
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.emitters.fake_answers import (
    EMBEDDING_TOKENS,
    Scenario,
    anthropic_events,
    anthropic_message,
    openai_chunks,
    openai_completion,
    responses_answer,
    responses_events,
)

SCENARIO = re.compile(r"scenario:([a-z0-9_]+)")
ERRORS = {
    "error400": (400, "invalid_request_error", "context_length_exceeded", "The model's context length is 8192 tokens."),
    "error401": (401, "authentication_error", "invalid_api_key", "Incorrect API key provided."),
    "error429": (429, "rate_limit_error", "rate_limit_exceeded", "Rate limit reached for requests."),
    "error500": (500, "server_error", "server_error", "The server had an error processing your request."),
    "error529": (529, "overloaded_error", "overloaded_error", "Overloaded"),
}


class Provider(ThreadingHTTPServer):
    """The server: `url` is its address; ids are made of `seed` and a counter, so two servers never share one."""

    daemon_threads = True

    def __init__(self, seed: str = "", port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.seed = seed or f"{time.time_ns():x}"
        self._lock = threading.Lock()
        self._count = 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, name="fake-provider", daemon=True)

    def next_id(self) -> str:
        with self._lock:
            self._count += 1
            return f"{self.seed}{self._count:06d}"

    def start(self) -> "Provider":
        self._thread.start()
        return self

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server's: others are told on stderr as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class Handler(BaseHTTPRequestHandler):
    """One connection. Paths: /v1/chat/completions, /v1/responses, /v1/embeddings, /v1/messages."""

    protocol_version = "HTTP/1.1"
    server: Provider

    def log_message(self, format: str, *args: object) -> None:
        """Silent: what the server saw is in the recordings."""

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        body: dict[str, Any] = json.loads(raw)
        path = self.path.split("?")[0]
        named = SCENARIO.findall(_prompt(body))
        scenario = Scenario(named[-1] if named else "success", body)
        if scenario.name in ERRORS:
            self._error(scenario.name, anthropic=path.endswith("/messages"))
        elif path.endswith("/chat/completions"):
            ident = "chatcmpl-" + self.server.next_id()
            if body.get("stream"):
                self._stream(openai_chunks(scenario, ident), broken=scenario.name == "broken")
            else:
                self._json(openai_completion(scenario, ident))
        elif path.endswith("/responses"):
            ident = "resp_" + self.server.next_id()
            if body.get("stream"):
                self._stream(responses_events(scenario, ident), broken=scenario.name == "broken")
            else:
                self._json(responses_answer(scenario, ident))
        elif path.endswith("/embeddings"):
            self._json(_embeddings(body))
        elif path.endswith("/messages"):
            ident = "msg_" + self.server.next_id()
            if body.get("stream"):
                self._stream(anthropic_events(scenario, ident), broken=scenario.name == "broken")
            else:
                self._json(anthropic_message(scenario, ident))
        else:
            self._json({"error": {"message": f"Unknown path {path}", "type": "invalid_request_error"}}, 404)

    def _error(self, name: str, *, anthropic: bool) -> None:
        status, kind, code, message = ERRORS[name]
        if anthropic:
            self._json({"type": "error", "error": {"type": kind, "message": message}}, status)
        else:
            self._json({"error": {"message": message, "type": kind, "param": None, "code": code}}, status)

    def _json(self, answer: dict[str, Any], status: int = 200) -> None:
        raw = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.send_header("x-request-id", f"req_{self.server.next_id()}")
        self.end_headers()
        self.wfile.write(raw)

    def _stream(self, events: Iterator[bytes], *, broken: bool) -> None:
        """Server-sent events, chunked; a broken stream ends in mid-answer without the closing chunk."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(events):
            if broken and number == 4:
                self.close_connection = True
                return
            self.wfile.write(f"{len(event):x}\r\n".encode() + event + b"\r\n")
            self.wfile.flush()
            time.sleep(0.004)
        self.wfile.write(b"0\r\n\r\n")


def _prompt(body: dict[str, Any]) -> str:
    return json.dumps([body.get(name) for name in ("messages", "input", "instructions", "system")])


def _embeddings(body: dict[str, Any]) -> dict[str, Any]:
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vector = [0.125, -0.25, 0.5, 1.0]
    packed = base64.b64encode(struct.pack("<4f", *vector)).decode()
    value: str | list[float] = packed if body.get("encoding_format") == "base64" else vector
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": value} for index in range(len(texts))],
        "model": body["model"],
        "usage": {"prompt_tokens": EMBEDDING_TOKENS, "total_tokens": EMBEDDING_TOKENS},
    }


def main() -> None:
    provider = Provider().start()
    print(provider.url, flush=True)
    sys.stdin.read()
    provider.stop()


if __name__ == "__main__":
    main()
