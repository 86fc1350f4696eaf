"""A relay before a server that gives its pages in small pieces, as a slow line does."""

import http.client
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

_PIECES = 60


@contextmanager
def trickling(url: str) -> Iterator[str]:
    """The relay's address. A page takes over a second, everything else comes at once."""
    upstream = urlsplit(url).netloc

    class Relay(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            connection = http.client.HTTPConnection(upstream, timeout=30)
            try:
                connection.request("GET", self.path, headers={"Host": upstream, "Cookie": self.headers["Cookie"] or ""})
                answer = connection.getresponse()
                body = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                is_page = (answer.getheader("Content-Type") or "").startswith("text/html")
                size = len(body) // _PIECES + 1 if is_page else len(body) or 1
                for start in range(0, len(body), size):
                    self.wfile.write(body[start : start + size])
                    if is_page:
                        time.sleep(0.02)
            finally:
                connection.close()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
