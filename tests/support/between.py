"""What stands between a program and a ClickHouse server, and can fail in every way that a network and a server can."""

import http.client
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

_HOP: Final = frozenset(("connection", "transfer-encoding", "content-length", "host"))
WRITES: Final = r"INSERT INTO \S*runs\b"
READS: Final = r"SELECT"
_HEAD: Final = 20_000


@dataclass
class Fault:
    """What happens to the next requests whose statement matches."""

    matching: str
    times: int = 1
    status: int = 0
    """Answered with instead of passed on; with `code`, as ClickHouse's exception."""
    code: int = 0
    text: str = "it is as the test wants it."
    passed_on: bool = False
    """The server gets it first, and its answer is lost."""
    reset: bool = False
    cut_after: int = -1
    """Bytes of the body that the server gets before its connection breaks off."""
    wait_seconds: float = 0
    break_answer_after: int = -1
    """Bytes of the server's answer that come before the connection breaks off."""


@dataclass
class Between:
    upstream: str
    port: int = 0
    statements: list[str] = field(default_factory=list)
    """The beginnings of the statements that came."""
    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _listener: "_Listener | None" = None

    @property
    def url(self) -> str:
        parts = urlsplit(self.upstream)
        userinfo = f"{parts.username}:{parts.password}@" if parts.username else ""
        scheme = "clickhouse" if parts.scheme == "clickhouses" else parts.scheme
        return urlunsplit(parts._replace(scheme=scheme, netloc=f"{userinfo}127.0.0.1:{self.port}", query=""))

    @contextmanager
    def failing(self, matching: str, **how: Any) -> Iterator[Fault]:
        fault = Fault(matching, **how)
        with self._lock:
            self.faults.append(fault)
        try:
            yield fault
        finally:
            with self._lock:
                self.faults.remove(fault)

    def fault_of(self, statement: str) -> Fault | None:
        with self._lock:
            self.statements.append(statement)
            for fault in self.faults:
                if fault.times and re.search(fault.matching, statement):
                    fault.times -= 1
                    return fault
        return None

    def asked(self, matching: str) -> int:
        return sum(1 for statement in self.statements if re.search(matching, statement))

    def up(self) -> None:
        between = self

        class Bound(_Handler):
            owner = between

        self._listener = _Listener(("127.0.0.1", self.port), Bound)
        self.port = self._listener.server_port
        threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True).start()

    def down(self) -> None:
        """Connections are refused from now on, and those that are open break off."""
        if self._listener is not None:
            self._listener.shutdown()
            self._listener.server_close()
            self._listener.close_connections()
            self._listener = None


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: "type[_Handler]") -> None:
        super().__init__(address, handler)
        self.open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        for connection in tuple(self.open):
            # What is sent meanwhile could still be read and answered, were it closed to reading alone.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            _reset(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are what this is for."""


def _reset(connection: socket.socket) -> None:
    try:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
        connection.close()
    except OSError:
        pass


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    owner: Between

    def do_POST(self) -> None:
        body = self._body()
        statement = _statement(self.path, body)
        fault = self.owner.fault_of(statement)
        if fault is None:
            self._pass_on(body)
        else:
            self._fail(fault, body)

    do_GET = do_POST

    def _fail(self, fault: Fault, body: bytes) -> None:
        time.sleep(fault.wait_seconds)
        if fault.cut_after >= 0:
            self._cut(body[: fault.cut_after])
        elif fault.passed_on:
            self._ask(body)[1].close()
        if fault.reset:
            self.close_connection = True
            _reset(self.connection)
        elif fault.status:
            headers = {"X-ClickHouse-Exception-Code": str(fault.code)} if fault.code else {}
            text = f"Code: {fault.code}. DB::Exception: {fault.text} (MADE_UP)" if fault.code else "away"
            self._answer(fault.status, text.encode(), headers)
        else:
            self._pass_on(body, fault.break_answer_after)

    def _pass_on(self, body: bytes, break_after: int = -1) -> None:
        answer, connection = self._ask(body)
        passed = 0
        try:
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while piece := answer.read1(1 << 16):
                if break_after >= 0 and len(piece) > break_after - passed:
                    self.wfile.write(b"%x\r\n%b" % (len(piece), piece[: break_after - passed]))
                    self.wfile.flush()
                    self.close_connection = True
                    return
                passed += len(piece)
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        finally:
            connection.close()

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, http.client.HTTPConnection]:
        connection = self._upstream()
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        return answer, connection

    def _cut(self, part: bytes) -> None:
        connection = self._upstream()
        connection.putrequest(self.command, self.path)
        for name, value in self.headers.items():
            if name.lower() not in _HOP:
                connection.putheader(name, value)
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        connection.send(b"%x\r\n%b" % (len(part) + 1, part))
        connection.close()

    def _upstream(self) -> http.client.HTTPConnection:
        at = urlsplit(self.owner.upstream)
        if at.scheme in ("https", "clickhouses"):
            return http.client.HTTPSConnection(
                at.hostname or "", at.port, timeout=60, context=ssl._create_unverified_context()
            )
        return http.client.HTTPConnection(at.hostname or "", at.port, timeout=60)

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline(), 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _statement(path: str, body: bytes) -> str:
    """The beginning of what is asked: in the body, where what is compressed begins as it is; or in the address."""
    found = re.search(rb"INSERT INTO|/\* |SELECT|ALTER|CREATE|DELETE", body[:_HEAD])
    return body[found.start() : _HEAD].decode(errors="replace") if found else path


@contextmanager
def between(upstream: str) -> Iterator[Between]:
    """`upstream`: a store's address; `url` of what is given leads there, too."""
    standing = Between(upstream)
    standing.up()
    try:
        yield standing
    finally:
        standing.down()
