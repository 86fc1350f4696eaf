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
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from random import Random
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final

import orjson

from modeltraces.demo import asked
from modeltraces.demo.models import MODELS
from modeltraces.demo.shapes import Chat, Completions, Message, Response, Shape

HOST: Final = "127.0.0.1"
PATH: Final = "/demo"
"""Of its addresses, by which they are known again when the port is another."""
_FIRST_SECONDS: Final = 0.25
_PIECE_SECONDS: Final = 0.03
"""Between the pieces of a stream, about as a model writes."""
_MOST_BYTES: Final = 16 << 20
_IDLE_SECONDS: Final = 120.0
_DIMENSIONS: Final = 256
_CALLED: Final = re.compile(
    rf"{PATH}/(?:v1|openai/v1|openai/deployments/[^/]+)/(chat/completions|completions|embeddings|responses)"
    rf"|{PATH}/v1/(messages|messages/count_tokens)"
)
"""Azure has paths of its own."""
_LISTED: Final = (f"{PATH}/v1/models", f"{PATH}/openai/models", f"{PATH}/openai/v1/models")
_HAS: Final = (
    "The demo's upstream has no such path. It has chat/completions, completions, embeddings, responses and models of OpenAI's "
    "API, messages, messages/count_tokens and models of Anthropic's."
)
_TAKES: Final = {
    "chat/completions": "a model and messages",
    "completions": "a model and a prompt",
    "embeddings": "a model and an input",
    "responses": "a model and an input",
    "messages": "a model and messages",
    "messages/count_tokens": "a model and messages",
}
_SHAPES: Final[dict[str, tuple[Callable[[Any], asked.Asked], Callable[[asked.Asked], Shape]]]] = {
    "chat/completions": (asked.chat, Chat),
    "responses": (asked.response, Response),
    "messages": (asked.message, Message),
}
_ANTHROPIC_ERRORS: Final = {404: "not_found_error", 413: "request_too_large"}
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
        if self._path in _LISTED:
            listed = [{"id": name, "object": "model"} for name in sorted({one.base_model for one in MODELS.values()})]
            self._answer(200, {"object": "list", "data": listed})
        else:
            self._refuse_method()

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = self._body()
        if body is None:
            return None
        called = _CALLED.fullmatch(self._path)
        if called is None:
            return self._refuse_method()
        name = called[1] or called[2]
        try:
            given = orjson.loads(body)
            if name == "embeddings":
                return self._answer(200, _embeddings(given))
            if name == "messages/count_tokens":
                return self._answer(200, {"input_tokens": asked.message(given).input_tokens})
            shape, streams = _shape(name, given)
        except asked.Unfit as unfit:
            return self._refuse(400, str(unfit))
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
            return self._refuse(400, f"The body is no such request: it takes {_TAKES[name]}.")
        if not streams:
            time.sleep(_FIRST_SECONDS)
            return self._answer(200, shape.whole())
        with contextlib.suppress(OSError):
            self._stream(shape)
        return None

    def do_PUT(self) -> None:
        if self._body() is not None:
            self._refuse_method()

    do_PATCH = do_DELETE = do_OPTIONS = do_PUT

    @property
    def _path(self) -> str:
        return str(getattr(self, "path", "")).partition("?")[0]

    def _body(self) -> bytes | None:
        """None for one that is refused, which is then answered."""
        size = self.headers.get("Content-Length", "0" if self.command != "POST" else "")
        if not size.isascii() or not size.isdecimal() or int(size) > _MOST_BYTES:
            self.close_connection = True
            self._refuse(413, f"The demo's upstream takes bodies of a known length, up to {_MOST_BYTES} bytes.")
            return None
        return self.rfile.read(int(size))

    def _stream(self, shape: Shape) -> None:
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

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the library refuses, which it would tell in HTML."""
        self.close_connection = True
        self._refuse(code, message or HTTPStatus(code).phrase)

    def _refuse_method(self) -> None:
        """The path is not there, or takes another method."""
        allowed = "POST" if _CALLED.fullmatch(self._path) else "GET, HEAD" if self._path in _LISTED else ""
        if not allowed:
            return self._refuse(404, _HAS)
        return self._refuse(405, f"This path takes {allowed}, not {self.command}.", allowed)

    def _refuse(self, status: int, message: str, allow: str = "") -> None:
        """In the shape of the API that was called: by the path, and by the headers that the one at hand sends."""
        of_anthropic = self._path.startswith(f"{PATH}/v1/messages") or "anthropic-version" in getattr(
            self, "headers", ()
        )
        if of_anthropic:
            error = {"type": _ANTHROPIC_ERRORS.get(status, "invalid_request_error"), "message": message}
            return self._answer(status, {"type": "error", "error": error}, allow)
        of_openai = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return self._answer(status, {"error": of_openai}, allow)

    def _answer(self, status: int, value: dict[str, Any], allow: str = "") -> None:
        body = orjson.dumps(value)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if allow:
            self.send_header("Allow", allow)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _shape(name: str, given: Any) -> tuple[Shape, bool]:
    """The answer, and whether it is asked for as a stream."""
    if name == "completions":
        prompts = asked.completions(given)
        return Completions(prompts), prompts[0].streams
    read, shape = _SHAPES[name]
    found = read(given)
    return shape(found), found.streams


def _embeddings(given: Any) -> dict[str, Any]:
    texts = asked.texts(given["input"])
    size = min(int(given.get("dimensions") or _DIMENSIONS), _DIMENSIONS)
    in_base64 = given.get("encoding_format") == "base64"
    tokens = sum(len(text.split()) for text in texts)
    data = [
        {"object": "embedding", "index": index, "embedding": _vector(text, size, in_base64)}
        for index, text in enumerate(texts)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": str(given.get("model")), "usage": usage}


def _vector(text: str, size: int, in_base64: bool) -> list[float] | str:
    """The same for the same text, of length 1; OpenAI's libraries ask for base64."""
    random = Random(text)
    drawn = [random.gauss(0, 1) for _ in range(size)]
    length = math.hypot(*drawn)
    vector = [one / length for one in drawn]
    return base64.b64encode(struct.pack(f"<{size}f", *vector)).decode() if in_base64 else vector
