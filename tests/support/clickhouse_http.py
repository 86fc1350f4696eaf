"""As much of ClickHouse's HTTP interface as its client asks for, over the embedded engine: with limits, and a memory of
what it was asked."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

LONGEST_ADDRESS = 8_000
"""What common proxies let through."""
LONGEST_FIELD = 128 << 10
"""`http_max_field_value_size` of a server."""


@dataclass
class ClickHouseHttp:
    connection: Any
    port: int = 0
    statements: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(connection: Any) -> Iterator[ClickHouseHttp]:
    """`connection`: the embedded engine's."""
    served = ClickHouseHttp(connection)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            given = dict(parse_qsl(urlsplit(self.path).query))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kind = self.headers.get("Content-Type", "")
            if kind.startswith("multipart/form-data"):
                form: Any = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
                for part in form.get_payload():
                    name = str(part.get_param("name", header="content-disposition"))
                    given[name] = part.get_payload(decode=True).decode()
                    if len(given[name].encode()) > LONGEST_FIELD:
                        return self._answer(400, b"Field value too long")
            elif body:
                given["query"] = given.get("query", "") + body.decode()
            if len(self.path) > LONGEST_ADDRESS:
                return self._answer(414, b"URI too long")
            served.statements.append(given["query"])
            params = {name.removeprefix("param_"): value for name, value in given.items() if name.startswith("param_")}
            try:
                answer = served.connection.query(given["query"], "TabSeparated", params=params)
                self._answer(200, answer.bytes())
            except Exception as error:
                self._answer(500, str(error).encode())

        do_GET = do_POST

        def _answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
