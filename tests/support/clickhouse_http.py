"""As much of ClickHouse's HTTP interface as its clients ask for, over the embedded engine, with a server's limits.

`python -m tests.support.clickhouse_http --path DIR --port N` is its process, for the tests' own has an engine already;
it says `ready` when it listens.
"""

import argparse
import base64
import re
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import chdb
import lz4.frame  # type: ignore[import-untyped]

LONGEST_ADDRESS: Final = 8_000
"""What common proxies let through."""
LONGEST_FIELD: Final = 128 << 10
"""`http_max_field_value_size` of a server."""

_TRANSPORT: Final = frozenset(
    (
        "database",
        "query",
        "query_id",
        "session_id",
        "wait_end_of_query",
        "buffer_size",
        "compress",
        "decompress",
        "enable_http_compression",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "client_protocol_version",
        "role",
        "quota_key",
    )
)
_OF_INSERTS: Final = ("insert_deduplication_token", "insert_deduplicate")
_INSERT: Final = re.compile(rb"\s*INSERT INTO ([^;]+?) FORMAT (\w+)\s", re.DOTALL)
_STREAMED: Final = re.compile(r"\bFORMAT (CSV|RowBinary|JSONEachRow|Native)\s*$")
_STATUS: Final = {"516": 403, "81": 404, "60": 404, "47": 404, "62": 400, "159": 408}


@dataclass
class Engine:
    """Handles of the one engine, each with the database and the settings that it was last asked with."""

    path: str
    _idle: dict[tuple[str, ...], list[Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, kind: tuple[str, ...]) -> Any:
        with self._lock:
            if self._idle.get(kind):
                return self._idle[kind].pop()
        handle = chdb.connect(self.path)
        for statement in kind:
            handle.query(statement)
        return handle

    def give_back(self, kind: tuple[str, ...], handle: Any) -> None:
        with self._lock:
            self._idle.setdefault(kind, []).append(handle)


@dataclass
class Asked:
    """One request: its statement, and what it is to be run with."""

    sql: bytes
    given: dict[str, str]
    data: bytes = b""

    @property
    def params(self) -> dict[str, str]:
        return {name[6:]: value for name, value in self.given.items() if name.startswith("param_")}

    @property
    def kind(self) -> tuple[str, ...]:
        settings = {
            name: value
            for name, value in sorted(self.given.items())
            if name not in _TRANSPORT and name not in _OF_INSERTS and not name.startswith("param_")
        }
        database = self.given.get("database") or "default"
        return (f"USE `{database}`", *(f"SET {name} = {_literal(value)}" for name, value in settings.items()))


def run(engine: Engine, asked: Asked) -> Iterator[bytes]:
    """The answer, piece by piece. Raises what the engine raises."""
    kind = asked.kind
    handle = engine.take(kind)
    try:
        if insert := _INSERT.match(asked.sql):
            data = asked.sql[insert.end() :] + asked.data
            yield from _insert(handle, insert[1].decode(), insert[2].decode(), data, asked.given)
        elif _STREAMED.search(sql := asked.sql.decode()) and asked.given.get("wait_end_of_query") != "1":
            found = _STREAMED.search(sql)
            assert found
            with handle.send_query(sql, found[1], params=asked.params) as pieces:
                yield from (piece.bytes() for piece in pieces)
        else:
            yield handle.query(sql, "TabSeparated", params=asked.params).bytes() or b""
    finally:
        engine.give_back(kind, handle)


def _insert(handle: Any, into: str, form: str, data: bytes, given: dict[str, str]) -> Iterator[bytes]:
    clauses = [f"{name} = {_literal(given[name])}" for name in _OF_INSERTS if name in given]
    with tempfile.NamedTemporaryFile(suffix=".native") as file:
        file.write(data)
        file.flush()
        settings = f" SETTINGS {', '.join(clauses)}" if clauses else ""
        handle.query(f"INSERT INTO {into} FROM INFILE {_literal(file.name)}{settings} FORMAT {form}")
    yield b""


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    engine: Engine
    authorization = ""

    def do_GET(self) -> None:
        if self.path.startswith("/ping"):
            self._answer(200, b"Ok.\n")
        else:
            self.do_POST()

    def do_POST(self) -> None:
        body = self._body()
        if len(self.path) > LONGEST_ADDRESS:
            self._answer(414, b"URI too long")
        elif self.authorization and self.headers.get("Authorization") != self.authorization:
            self._fail("Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)")
        elif (asked := self._asked(body)) is None:
            self._answer(400, b"Field value too long")
        else:
            try:
                self._send(run(self.engine, asked))
            except BrokenPipeError:
                self.close_connection = True

    def _asked(self, body: bytes) -> Asked | None:
        given = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        media_type = self.headers.get("Content-Type", "")
        if media_type.startswith("multipart/form-data"):
            for name, value in _form(media_type, body):
                if len(value) > LONGEST_FIELD:
                    return None
                given[name] = value.decode()
            body = b""
        query = given.get("query", "").encode()
        return Asked(query + b"\n", given, body) if query and body else Asked(query or body, given)

    def _send(self, pieces: Iterator[bytes]) -> None:
        try:
            first = next(pieces, b"")
        except Exception as error:
            self._fail(str(error))
            return
        self.send_response(200)
        self.send_header("X-ClickHouse-Summary", "{}")
        self.send_header("X-ClickHouse-Timezone", "UTC")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk(first)
        for piece in pieces:
            self._chunk(piece)
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, piece: bytes) -> None:
        if piece:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))

    def _fail(self, message: str) -> None:
        found = re.search(r"Code: (\d+)", message)
        code = found[1] if found else "1002"
        self._answer(_STATUS.get(code, 500), message.encode(), {"X-ClickHouse-Exception-Code": code})

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked":
            pieces = []
            while size := int(self.rfile.readline(), 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            body = b"".join(pieces)
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return _decompressed(body) if self.headers.get("Content-Encoding") == "lz4" else body

    def log_message(self, format: str, *args: object) -> None:
        pass


def _decompressed(body: bytes) -> bytes:
    """The driver makes a frame of each block."""
    pieces = []
    while body:
        frame = lz4.frame.LZ4FrameDecompressor()
        pieces.append(frame.decompress(body))
        body = frame.unused_data or b""
    return b"".join(pieces)


def _form(media_type: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    form: Any = message_from_bytes(f"Content-Type: {media_type}\r\n\r\n".encode() + body)
    for part in form.get_payload():
        yield str(part.get_param("name", header="content-disposition")), part.get_payload(decode=True)


class Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is none of the server's."""


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("--path", "--user", "--password", "--certificate"):
        parser.add_argument(name, default="")
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    Handler.engine = Engine(options.path)
    if options.password:
        credentials = base64.b64encode(f"{options.user}:{options.password}".encode()).decode()
        Handler.authorization = f"Basic {credentials}"
    listener = Listener(("127.0.0.1", options.port), Handler)
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    print("ready", flush=True)
    listener.serve_forever()


if __name__ == "__main__":
    main()
