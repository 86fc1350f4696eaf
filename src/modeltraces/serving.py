"""Run the server in this process: take the port, say where it listens, and end well on SIGTERM."""

import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import orjson
import uvicorn

from modeltraces.app import create_app
from modeltraces.catalog import links
from modeltraces.catalog.errors import CatalogError
from modeltraces.http_protocol import BoundedHttpProtocol
from modeltraces.ingest.redaction import BadPattern
from modeltraces.parts import Parts, build
from modeltraces.settings import ADDRESS_FILE, DEMO_FILE, Settings
from modeltraces.short_turns import take_short_turns
from modeltraces.store.engine import StoreError


class CannotStart(Exception):
    """The server cannot start; the text is one clear line."""


def take_port(host: str, port: int, option: str) -> socket.socket:
    """Bind now, so that a taken port is said before anything is opened. Raises CannotStart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        # At once: until a socket listens, another one that was bound with SO_REUSEADDR may take the same port.
        listener.listen()
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"cannot listen on {host}:{port}: {error.strerror or error}. Choose another with {option}."
        ) from error
    return listener


def address_of(host: str, port: int) -> str:
    """Where a browser on this machine finds who listens there: "every address" is none that it can open."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _collect_seldom() -> None:
    """Runs are made in tens of thousands and hold no cycles: looking for them took a third of ingest's time. What the start
    made stays: looking through it once took 0.1 s, for some thousand objects."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


def open_parts(settings: Settings) -> Parts:
    """Raises CannotStart."""
    try:
        return build(settings)
    except (StoreError, CatalogError, BadPattern) as error:
        raise CannotStart(str(error)) from error


_SWITCH_SECONDS: Final = 0.0005
"""That a thread which stores or reads keeps the interpreter from a call that goes through; Python's own 5 ms, several times a call,
were the slowest calls of a hundred."""


def serve(settings: Settings, *, ready: Callable[[Parts, str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is called with the parts and the address before the first request.

    Raises CannotStart.
    """
    listener = take_port(settings.host, settings.port, "--port")
    if settings.otlp_grpc_port:
        take_port(settings.host, settings.otlp_grpc_port, "--otlp-grpc-port (0 turns it off)").close()
    try:
        parts = open_parts(settings)
    except BaseException:
        listener.close()
        raise
    address = address_of(*listener.getsockname()[:2])
    app = create_app(parts)
    _collect_seldom()
    sys.setswitchinterval(_SWITCH_SECONDS)
    take_short_turns()
    address_file = settings.data_dir / ADDRESS_FILE
    try:
        address_file.write_bytes(orjson.dumps({"address": address}))
    except OSError as error:
        listener.close()
        parts.close()
        raise CannotStart(f"{address_file} cannot be written: {error.strerror}") from error
    if ready is not None:
        ready(parts, address)
    say(f"Model Traces is at {address}")
    if ready is None and (settings.data_dir / DEMO_FILE).exists():
        say(
            f"{settings.data_dir} holds the demo's runs, which are made up, and connections that only `modeltraces demo` answers. "
            "For runs of your own choose another directory with --data-dir."
        )
    if parts.first.link_token is not None:
        say(f"No owner yet. Become it here, once: {address}{links.path_of(parts.first.link_token)}")
    BoundedHttpProtocol.grpc_port = settings.otlp_grpc_port
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttpProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.stop_seconds,
        # `create_app` has them, where they are looked at.
        proxy_headers=False,
    )
    with contextlib.suppress(KeyboardInterrupt):
        _Server(config, parts).run(sockets=[listener])
    address_file.unlink(missing_ok=True)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, parts: Parts) -> None:
        super().__init__(config)
        self._parts = parts

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As uvicorn's, but without raising the signal again afterwards: an orderly end has status 0."""
        previous = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, handler in previous.items():
                signal.signal(sig, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._parts.commits.stop()
        self._parts.arrivals.stop()
        super().handle_exit(sig, frame)


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
