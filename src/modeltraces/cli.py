"""The commands. Options override the environment (`MODELTRACES_…`)."""

import gc
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import structlog
import typer

from modeltraces import __version__
from modeltraces.cli_options import DataDirOption, data_dir_help, setting_default
from modeltraces.settings import DEMO_DATA_DIR, BadSettings, Settings, load_demo_settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

app = typer.Typer(
    name="modeltraces",
    help="Records every call made to a model, and shows it run by run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Host = Annotated[str | None, typer.Option(help=f"Address to listen on. {setting_default('host')}")]
Port = Annotated[int | None, typer.Option(help=f"Port of HTTP. {setting_default('port')}")]
GrpcPort = Annotated[
    int | None, typer.Option(help=f"Port of OTLP/gRPC; 0 turns it off. {setting_default('otlp_grpc_port')}")
]
DemoDataDir = Annotated[Path | None, typer.Option("--data-dir", help=data_dir_help(DEMO_DATA_DIR))]


def fail(line: str) -> NoReturn:
    """End with one clear line and a status that is not zero."""
    typer.echo(f"modeltraces: {line}", err=True)
    raise typer.Exit(1)


def settings_of(load: "Callable[..., Settings]" = load_settings, **options: Any) -> Settings:
    """The settings, or one clear line for what is wrong with them."""
    try:
        return load(**options)
    except BadSettings as error:
        fail(str(error))


def configure_logs(settings: Settings) -> None:
    """Structured lines on stderr; payloads and secrets are never given to the log."""
    renderer: Any = structlog.processors.JSONRenderer()
    if settings.log_format == "text":
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    # What they have to say comes as an exception, too, and is logged or answered once, by us.
    for name in ("urllib3", "clickhouse_connect"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


@app.callback(invoke_without_command=True)
def main_options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


def _import_only() -> None:
    """What is imported is no garbage: looking for some took a sixth of the start. A server that has started looks again."""
    gc.disable()


@app.command()
def serve(
    host: Host = None, port: Port = None, data_dir: DataDirOption = None, otlp_grpc_port: GrpcPort = None
) -> None:
    """Serve the pages, the API and OTLP."""
    _import_only()
    from modeltraces.serving import CannotStart
    from modeltraces.serving import serve as run_server

    settings = settings_of(host=host, port=port, data_dir=data_dir, otlp_grpc_port=otlp_grpc_port)
    configure_logs(settings)
    try:
        run_server(settings)
    except CannotStart as error:
        fail(str(error))


@app.command()
def demo(host: Host = None, port: Port = None, data_dir: DemoDataDir = None, otlp_grpc_port: GrpcPort = None) -> None:
    """Serve, with an account that has a month of runs and live traffic; prints a sign-in link."""
    _import_only()
    from modeltraces.demo.serving import serve_demo
    from modeltraces.serving import CannotStart

    settings = settings_of(load_demo_settings, host=host, port=port, data_dir=data_dir, otlp_grpc_port=otlp_grpc_port)
    configure_logs(settings)
    try:
        serve_demo(settings)
    except CannotStart as error:
        fail(str(error))


def with_all_commands() -> typer.Typer:
    """The commands, with the groups that are kept in files of their own."""
    from modeltraces.cli_access import keys
    from modeltraces.cli_catalog import catalog
    from modeltraces.cli_export import export
    from modeltraces.cli_retention import retention
    from modeltraces.cli_store import store
    from modeltraces.cli_users import users

    app.add_typer(keys, name="keys")
    app.add_typer(users, name="users")
    app.add_typer(catalog, name="catalog")
    app.add_typer(store, name="store")
    app.add_typer(retention, name="retention")
    app.command()(export)
    return app


def main() -> None:
    try:
        status = with_all_commands()(standalone_mode=False)
    except typer.Abort:
        sys.exit(130)
    except Exception as error:
        line = _usage_line(error)
        if line is None:
            raise
        typer.echo(line, err=True)
        sys.exit(2)
    sys.exit(status if isinstance(status, int) else 0)


def _usage_line(error: Exception) -> str | None:
    """What to say of a command line that cannot be read: one line; or the help, where a command is missing.

    By its shape: Typer has click's exceptions inside it in some versions, and beside it in others.
    """
    message = getattr(error, "format_message", None)
    if message is None:
        return None
    if type(error).__name__ == "NoArgsIsHelpError":
        return str(message())
    path = getattr(getattr(error, "ctx", None), "command_path", "modeltraces")
    return f"modeltraces: {' '.join(str(message()).split())} Try: {path} --help"
