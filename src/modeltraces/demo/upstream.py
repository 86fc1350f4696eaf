"""An upstream for the demo's gateway: answers as OpenAI's and Anthropic's servers do, without a model.

It listens on loopback only, and ends with the demo's process.
"""

import base64
import contextlib
import math
import re
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from random import Random
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final
from uuid import uuid4

import orjson

from modeltraces.demo.models import MODELS
from modeltraces.demo.texts import answer_to

HOST: Final = "127.0.0.1"
PATH: Final = "/demo"
"""Of its addresses, by which they are known again when the port is another."""
_MARK: Final = "(The demo's own upstream wrote this; no model stands behind it.)"
_FIRST_SECONDS: Final = 0.25
_PIECE_SECONDS: Final = 0.03
"""Between the pieces of a stream, about as a model writes."""
_MOST_BYTES: Final = 16 << 20
_IDLE_SECONDS: Final = 120.0
_DIMENSIONS: Final = 256
_CALLED: Final = re.compile(
    rf"{PATH}/(?:v1|openai/v1|openai/deployments/[^/]+)/(chat/completions|embeddings)|{PATH}/v1/(messages)"
)
"""Azure has paths of its own."""
_LISTED: Final = (f"{PATH}/v1/models", f"{PATH}/openai/models")
_OURS: Final = re.compile(rf"http://{re.escape(HOST)}:(\d+){PATH}(?:/v1)?")


def port_of(address: str) -> int | None:
    """The port of an address that leads to such an upstream, of this start or an earlier one; None for any other."""
    found = _OURS.fullmatch(address)
    return int(found[1]) if found else None


class DemoUpstream:
    """Serves in threads of its own from `start` to `stop`."""

    def __init__(self, *, port: int = 0) -> None:
        """`port`: tried first, so that addresses mostly stay as they are."""
        try:
            self._server = _Server((HOST, port), _Handler)
        except (OSError, OverflowError):
            self._server = _Server((HOST, 0), _Handler)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}{PATH}"

    def start(self) -> "DemoUpstream":
        threading.Thread(target=self._server.serve_forever, name="demo-upstream", daemon=True).start()
        return self

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingMixIn, TCPServer):
    # Not HTTPServer: it looks its own name up, which takes seconds where no name server answers.
    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a caller that left is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the gateway records its calls."""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] in _LISTED:
            listed = [{"id": name, "object": "model"} for name in sorted({one.base_model for one in MODELS.values()})]
            self._answer(200, {"object": "list", "data": listed})
        else:
            self._refuse(404, "The demo's upstream has no such path.")

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if not size.isascii() or not size.isdecimal() or int(size) > _MOST_BYTES:
            self.close_connection = True
            return self._refuse(413, f"The demo's upstream takes bodies of a known length, up to {_MOST_BYTES} bytes.")
        body = self.rfile.read(int(size))
        called = _CALLED.fullmatch(self.path.partition("?")[0])
        if called is None:
            return self._refuse(404, "The demo's upstream has chat completions, embeddings and messages only.")
        if called[1] == "embeddings":
            return self._embed(body)
        try:
            asked = _Asked(orjson.loads(body))
        except (ValueError, TypeError, LookupError, AttributeError):
            return self._refuse(400, "The body is no such request: it takes a model and messages.")
        shape = _OpenAI(asked) if called[1] == "chat/completions" else _Anthropic(asked)
        if not asked.streams:
            time.sleep(_FIRST_SECONDS)
            return self._answer(200, shape.whole())
        with contextlib.suppress(OSError):
            self._stream(shape)
        return None

    def _embed(self, body: bytes) -> None:
        try:
            asked = orjson.loads(body)
            given = asked["input"]
            texts = [_text(one) for one in (given if isinstance(given, list) else [given])]
            size = min(int(asked.get("dimensions") or _DIMENSIONS), _DIMENSIONS)
            in_base64 = asked.get("encoding_format") == "base64"
        except (ValueError, TypeError, LookupError, AttributeError):
            return self._refuse(400, "The body is no such request: it takes a model and an input.")
        tokens = sum(len(text.split()) for text in texts)
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(text, size, in_base64)}
            for index, text in enumerate(texts)
        ]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return self._answer(200, {"object": "list", "data": data, "model": str(asked.get("model")), "usage": usage})

    def _stream(self, shape: "_OpenAI | _Anthropic") -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        time.sleep(_FIRST_SECONDS)
        for event in shape.events():
            self._chunk(event)
            time.sleep(_PIECE_SECONDS)
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    def _refuse(self, status: int, message: str) -> None:
        error = {"type": "invalid_request_error", "message": message}
        self._answer(status, {"type": "error", "error": error})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        body = orjson.dumps(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Asked:
    """A request of either API. Raises ValueError, TypeError, LookupError or AttributeError for what is none."""

    def __init__(self, body: Any) -> None:
        self.model = str(body["model"])
        self.streams = bool(body.get("stream"))
        self.tells_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        texts = [_text(message["content"]) for message in body["messages"]]
        self.input_tokens = len(" ".join([_text(body.get("system")), *texts]).split()) + 3 * len(texts)
        answer = f"{answer_to(Random(), texts[-1])} {_MARK}"
        whole = re.findall(r"\S+\s*", answer)
        most = body.get("max_completion_tokens") or body.get("max_tokens") or len(whole)
        self.pieces = whole[: max(int(most), 1)]
        self.is_cut = len(self.pieces) < len(whole)


def _vector(text: str, size: int, in_base64: bool) -> list[float] | str:
    """The same for the same text, of length 1; OpenAI's libraries ask for base64."""
    random = Random(text)
    drawn = [random.gauss(0, 1) for _ in range(size)]
    length = math.hypot(*drawn)
    vector = [one / length for one in drawn]
    return base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if in_base64 else vector


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(str(part.get("text") or "") for part in content)
    return str(content or "")


class _OpenAI:
    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._head = {"id": f"chatcmpl-{uuid4().hex}", "created": int(time.time()), "model": asked.model}
        self._reason = "length" if asked.is_cut else "stop"
        given, made = asked.input_tokens, len(asked.pieces)
        self._usage = {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made}

    def whole(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": "".join(self._asked.pieces)}
        choice = {"index": 0, "message": message, "finish_reason": self._reason}
        return {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage}

    def events(self) -> Iterator[bytes]:
        yield self._event({"role": "assistant", "content": ""})
        for piece in self._asked.pieces:
            yield self._event({"content": piece})
        yield self._event({}, self._reason)
        if self._asked.tells_usage:
            yield self._said({"choices": [], "usage": self._usage})
        yield b"data: [DONE]\n\n"

    def _event(self, delta: dict[str, str], reason: str | None = None) -> bytes:
        return self._said({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    def _said(self, more: dict[str, Any]) -> bytes:
        return b"data: %b\n\n" % orjson.dumps({**self._head, "object": "chat.completion.chunk", **more})


class _Anthropic:
    def __init__(self, asked: _Asked) -> None:
        self._asked = asked
        self._reason = "max_tokens" if asked.is_cut else "end_turn"
        self._head: dict[str, Any] = {
            "id": f"msg_{uuid4().hex}",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
        }

    def whole(self) -> dict[str, Any]:
        content = [{"type": "text", "text": "".join(self._asked.pieces)}]
        return self._message(content, self._reason, len(self._asked.pieces))

    def _message(self, content: list[Any], reason: str | None, output_tokens: int) -> dict[str, Any]:
        usage = {"input_tokens": self._asked.input_tokens, "output_tokens": output_tokens}
        return {**self._head, "content": content, "stop_reason": reason, "stop_sequence": None, "usage": usage}

    def events(self) -> Iterator[bytes]:
        yield self._event("message_start", message=self._message([], None, 1))
        yield self._event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        for piece in self._asked.pieces:
            yield self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        yield self._event("content_block_stop", index=0)
        end = {"stop_reason": self._reason, "stop_sequence": None}
        yield self._event("message_delta", delta=end, usage={"output_tokens": len(self._asked.pieces)})
        yield self._event("message_stop")

    def _event(self, name: str, **more: Any) -> bytes:
        return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps({"type": name, **more}))
