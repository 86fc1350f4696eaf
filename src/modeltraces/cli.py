"""The commands. Options override the environment (`MODELTRACES_…`)."""

import logging
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import structlog
import typer
from pydantic import ValidationError

from modeltraces import __version__
from modeltraces.settings import Settings, load_settings

app = typer.Typer(
    name="modeltraces",
    help="Records every call made to a model, and shows it run by run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Host = Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")]
Port = Annotated[int | None, typer.Option(help="Port of HTTP. [default: 8321]")]
DataDir = Annotated[Path | None, typer.Option(help="Directory of everything that is kept. [default: ./data]")]
GrpcPort = Annotated[int | None, typer.Option(help="Port of OTLP/gRPC; 0 turns it off. [default: 4317]")]


def fail(line: str) -> NoReturn:
    """End with one clear line and a status that is not zero."""
    typer.echo(f"modeltraces: {line}", err=True)
    raise typer.Exit(1)


def settings_of(**options: Any) -> Settings:
    """The settings, or one clear line for each bad option."""
    try:
        return load_settings(**options)
    except ValidationError as error:
        lines = []
        for one in error.errors():
            name = str(one["loc"][0]) if one["loc"] else "settings"
            lines.append(f"--{name.replace('_', '-')} (MODELTRACES_{name.upper()}): {one['msg'].lower()}")
        fail("; ".join(lines))
    except OSError as error:
        fail(f"a secret's file cannot be read: {error.filename}: {error.strerror}")


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


@app.command()
def serve(host: Host = None, port: Port = None, data_dir: DataDir = None, otlp_grpc_port: GrpcPort = None) -> None:
    """Serve the pages, the API and OTLP."""
    from modeltraces.serving import CannotStart
    from modeltraces.serving import serve as run_server

    settings = settings_of(host=host, port=port, data_dir=data_dir, otlp_grpc_port=otlp_grpc_port)
    configure_logs(settings)
    try:
        run_server(settings)
    except CannotStart as error:
        fail(str(error))


@app.command()
def demo(host: Host = None, port: Port = None, data_dir: DataDir = None, otlp_grpc_port: GrpcPort = None) -> None:
    """Serve, with an account that has a month of runs and live traffic; prints a sign-in link."""
    from modeltraces.demo.serving import serve_demo
    from modeltraces.serving import CannotStart

    settings = settings_of(host=host, port=port, data_dir=data_dir, otlp_grpc_port=otlp_grpc_port)
    configure_logs(settings)
    try:
        serve_demo(settings)
    except CannotStart as error:
        fail(str(error))


def main() -> None:
    from modeltraces.cli_access import keys, users
    from modeltraces.cli_export import export

    app.add_typer(keys, name="keys")
    app.add_typer(users, name="users")
    app.command()(export)
    app()
