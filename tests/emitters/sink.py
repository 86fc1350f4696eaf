"""An OTLP/HTTP collector that keeps the requests as they came: path, headers and raw body."""

import gzip
import sys
import threading
import zlib
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    path: str
    content_type: str
    content_encoding: str
    body: bytes
    """Decompressed."""
    chunked: bool
    authorization: str
    """The scheme only: `Basic`, `Bearer` or ''."""


class Sink(ThreadingHTTPServer):
    """The collector: `url` is the OTLP endpoint, `take()` gives what came since the last call."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._received: list[Received] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, name="otlp-sink", daemon=True)

    def add(self, request: Received) -> None:
        with self._lock:
            self._received.append(request)

    def take(self) -> list[Received]:
        with self._lock:
            taken, self._received = self._received, []
            return taken

    def start(self) -> "Sink":
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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Sink

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""

    def do_POST(self) -> None:
        chunked = self.headers.get("transfer-encoding", "").lower() == "chunked"
        raw = self._chunks() if chunked else self.rfile.read(int(self.headers.get("content-length") or 0))
        encoding = self.headers.get("content-encoding", "")
        self.server.add(
            Received(
                path=self.path,
                content_type=self.headers.get("content-type", "").split(";")[0],
                content_encoding=encoding,
                body=_decompress(raw, encoding),
                chunked=chunked,
                authorization=self.headers.get("authorization", "").split(" ")[0],
            )
        )
        is_json = self.headers.get("content-type", "").startswith("application/json")
        answer = b"{}" if is_json else b""
        self.send_response(200)
        self.send_header("content-type", "application/json" if is_json else "application/x-protobuf")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


def _decompress(raw: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(raw)
    if encoding == "deflate":
        return zlib.decompress(raw)
    return raw
