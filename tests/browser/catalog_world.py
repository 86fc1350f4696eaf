"""An account of its own for the tests that change the catalog: no other test counts its models."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from modeltraces.catalog import users
from tests.browser.world import World, stamp
from tests.support.server import PASSWORD

ACCOUNT, KIM = "catalog pages", "kim@example.com"
CREDENTIAL = "sk-right-4711"
ODD = 'odd/model "100%41" <b>?#'
ARABIC = "نموذج-اللغة-العربية"
LONG = "/".join(["a-very-long-name-of-a-checkpoint"] * 6)


class Provider(BaseHTTPRequestHandler):
    """Has two models for who knows the credential."""

    def do_GET(self) -> None:
        known = self.headers.get("Authorization") == f"Bearer {CREDENTIAL}"
        body = b'{"data": [{"id": "gpt-4o"}, {"id": "o3"}]}' if known else b'{"error": {"message": "no such key"}}'
        self.send_response(200 if known else 401)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running_provider() -> Iterator[str]:
    """The address of a provider that answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()


def fill_catalog(world: World) -> None:
    """Kim's account, with models of every kind and of every sort of name."""
    server = world.server
    account_id = server.account_id(server.new_account(ACCOUNT))
    users.create(server.catalog, account_id, KIM, "owner", password=PASSWORD, actor="test")
    world.send(
        *(
            {"model": name, "model_kind": "open_source", "deployment_version": "v1", "executed_on": stamp(world.now)}
            for name in ("llama", "llama-copy", ODD, ARABIC, LONG)
        ),
        {"model": "gpt-4o", "model_kind": "external", "connection_name": "azure-eu", "executed_on": stamp(world.now)},
        account=ACCOUNT,
    )
