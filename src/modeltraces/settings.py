"""Every option of the server, once: name, default, unit and reason.

Each is read from `MODELTRACES_<NAME>` (or, for a secret, from the file named by `MODELTRACES_<NAME>_FILE`), and the
commands' options override them. `docs/settings.md` is checked against this table.
"""

import os
from functools import cached_property
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

ADDRESS_FILE = "server.json"
"""In the data directory while a server runs: where commands reach it."""
DEMO_FILE = "demo.json"
"""In a data directory that the demo filled: with which history, and whether all of it is there."""
DEMO_DATA_DIR = Path("demo-data")
"""Where the demo keeps its runs unless told otherwise: not where `serve` would take them for the reader's own."""

_SECRETS = ("admin_password", "secret_key", "store_url", "catalog_url")
"""The addresses may bear a password."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="MODELTRACES_",
        # `X=` in a compose file means that X is not set. An empty secret key would sign what anybody can sign.
        env_ignore_empty=True,
        extra="ignore",
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="Address that HTTP and gRPC listen on.")
    port: int = Field(8321, ge=0, le=65535, description="Port of HTTP: pages, API and OTLP/HTTP.")
    otlp_grpc_port: int = Field(4317, ge=0, le=65535, description="Port of OTLP/gRPC; 0 turns it off.")
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        description="Addresses or networks, separated by commas, of the proxies before it: their X-Forwarded-For and "
        "-Proto tell who calls and whether by TLS. Failed sign-ins count by that address.",
    )
    stop_seconds: int = Field(
        20,
        ge=1,
        description="Seconds that requests under way, streams too, may go on after the server is told to stop.",
    )
    data_dir: Path = Field(
        Path("data"),
        description="Directory of everything that is kept. `modeltraces demo` has one of its own, `demo-data`, unless this names another.",
    )
    store_url: str = Field(
        "",
        description="Where runs live: `chdb:///path`, the embedded engine in the directory of that whole path (default: inside the data "
        "directory), or `clickhouse://user:password@host:8123/database`, a server or cluster (`clickhouses://` with TLS; "
        "`?verify=false` and `?ca_cert=FILE` say whom to trust).",
    )
    store_cluster: str = Field(
        "",
        description="Name of a ClickHouse cluster, as in its `remote_servers`: tables are replicated and spread over its shards. "
        "Chosen before the first start, for it decides how tables are made.",
    )
    catalog_url: str = Field(
        "",
        description="Where accounts and models live: `sqlite:///path` (default: inside the data directory), or "
        "`postgresql://user:password@host:5432/database`.",
    )
    catalog_connections: int = Field(
        20,
        ge=2,
        description="Connections to the catalog that one process holds at most. On PostgreSQL, those of all processes must "
        "fit its max_connections (100 unless it was raised).",
    )
    admin_email: str = Field("", description="Email of the first owner, created at start when there is none.")
    admin_password: SecretStr | None = Field(None, description="Password of the first owner.")
    secret_key: SecretStr | None = Field(
        None,
        description="Key that signs cursors and encrypts credentials (`openssl rand -base64 48` makes a good one); made and kept in the "
        "data directory when absent.",
    )
    allow_link_local: bool = Field(
        False,
        description="`true`: endpoints and connections may lead to link-local addresses, where clouds keep their metadata services.",
    )
    session_hours: int = Field(24 * 14, ge=1, description="Hours a sign-in lasts without use.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="`debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["text", "json"] = Field("text", description="`text` for people, `json` for machines.")

    max_body_megabytes: int = Field(
        64,
        ge=1,
        description="MB of one request body after decompression. OTLP exporters send a few MB; more is an attack or an error.",
    )
    body_idle_seconds: float = Field(
        30, gt=0, description="Seconds that a body may stop coming before its sender is let go (408)."
    )
    max_part_kilobytes: int = Field(
        1024,
        ge=1,
        description="KB of one text of a payload; what is longer is cut, and its size said in its place.",
    )
    max_media_kilobytes: int = Field(
        256,
        ge=1,
        description="KB of one image, sound or file in base64 in a payload; what is longer is kept as its type, size and SHA-256 "
        "digest. A small picture or a page still fits; what is larger would fill the disk and helps nobody find a bad run.",
    )
    max_payload_kilobytes: int = Field(
        16 * 1024, ge=16, description="KB of a whole request or response payload; over it, the longest parts are cut."
    )
    max_attributes: int = Field(
        256, ge=0, description="Attributes kept of one span beside the fields we read; the rest is counted and left."
    )
    queue_megabytes: int = Field(
        256, ge=1, description="MB of decoded runs waiting to be stored; over it a sender gets 503 and Retry-After."
    )
    decode_processes: int = Field(
        1,
        ge=0,
        le=64,
        description="Processes that decode request bodies over 16 KB, some 60 MB each, started when they are first needed; "
        "0: the server's own threads do. More than one a core is of no use.",
    )
    commit_wait_ms: int = Field(
        20,
        ge=0,
        le=1000,
        description="Milliseconds a commit waits, at most, for as many requests as the last one stored together.",
    )
    max_commit_runs: int = Field(
        20_000, ge=1, description="Runs of one commit, at most: bounds its memory and its time."
    )
    max_commit_megabytes: int = Field(
        64, ge=1, description="MB of request bodies in one commit, at most; one larger request is a commit of its own."
    )
    link_window_minutes: int = Field(
        30,
        ge=1,
        description="Minutes within which two recordings of one call, or a span and its log records, find each other.",
    )
    record_content: bool = Field(True, description="`false`: metadata only; no input, output or payload is kept.")
    redact_patterns: list[str] = Field(
        default_factory=list,
        description="Regular expressions; what they match in inputs, outputs and payloads is masked before it is stored.",
    )
    keep_runs_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Days that runs are kept, where their account or model does not say otherwise; 0: for ever.",
    )
    keep_payloads_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Days that inputs, outputs and payloads are kept, likewise; the rest of the run stays. 0: as long as the run.",
    )
    sweep_hour: int = Field(
        2, ge=0, le=23, description="Hour of the day, UTC, from which on what is past its days is removed."
    )

    gateway_body_megabytes: int = Field(
        100, ge=1, description="MB of one request that the gateway passes on; images and files come in base64."
    )
    gateway_connect_seconds: float = Field(10, gt=0, description="Seconds for a connection to an upstream.")
    gateway_first_byte_seconds: float = Field(
        600,
        gt=0,
        description="Seconds from a request sent upstream to the first byte of its answer; some models think long.",
    )
    gateway_idle_seconds: float = Field(
        600, gt=0, description="Seconds that an upstream may send nothing in the middle of its answer."
    )
    gateway_total_seconds: float = Field(3600, gt=0, description="Seconds of one call through the gateway, in all.")
    gateway_journal_megabytes: int = Field(
        1024, ge=16, description="MB of recorded calls that wait on disk while the store is away."
    )
    gateway_journal_full: Literal["refuse", "serve"] = Field(
        "refuse",
        description="When the journal is full: `refuse` calls (503), or `serve` them unrecorded. Either is counted and said on the page.",
    )

    store_memory_megabytes: int = Field(
        1800,
        ge=512,
        description="MB that the process may take before the embedded engine refuses a query or an insert; "
        "the engine counts the whole process, 400 MB of which are there when nothing is asked.",
    )
    store_connect_seconds: float = Field(5, gt=0, description="Seconds for a connection to a ClickHouse server.")
    store_insert_seconds: float = Field(
        60,
        gt=0,
        description="Seconds that a ClickHouse server may be silent while it stores a commit, before senders get 503. A query has "
        "its own limit, and 3 seconds to say that it is reached.",
    )
    store_threads: int = Field(0, ge=0, description="Threads of one query in the embedded engine; 0: one a core.")
    query_timeout_seconds: float = Field(
        20, gt=0, description="Seconds after which a query is ended with an error that says so."
    )
    query_memory_megabytes: int = Field(600, ge=64, description="MB one query may use.")
    query_concurrency: int = Field(8, ge=1, description="Queries that run at once; more wait their turn.")
    export_concurrency: int = Field(4, ge=1, description="Exports that run at once; one more gets 429.")
    export_idle_seconds: float = Field(
        60, gt=0, description="Seconds that an export's reader may take nothing before it is broken off."
    )
    live_interval_ms: int = Field(1000, ge=100, description="Milliseconds between looks for new runs of a live view.")

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, values: Any) -> Any:
        for name in _SECRETS:
            path = os.environ.get(f"MODELTRACES_{name.upper()}_FILE")
            if path and name not in values:
                content = Path(path).read_bytes().decode(errors="replace").rstrip("\r\n")
                if not content:
                    raise ValueError(f"the file of MODELTRACES_{name.upper()}_FILE is empty")
                values[name] = content
        return values

    @model_validator(mode="after")
    def _defaults_inside_the_data_directory(self) -> "Settings":
        data_dir = self.data_dir.absolute()
        if not self.store_url:
            self.store_url = f"chdb://{data_dir}/runs"
        if not self.catalog_url:
            self.catalog_url = f"sqlite:///{data_dir}/catalog.db"
        return self

    @field_validator("trusted_proxies")
    @classmethod
    def _are_addresses(cls, value: str) -> str:
        for one in filter(None, (part.strip() for part in value.split(","))):
            try:
                ip_network(one, strict=False)
            except ValueError:
                raise ValueError(
                    "each of MODELTRACES_TRUSTED_PROXIES must be an address, or a network like 10.0.0.0/8"
                ) from None
        return value

    @model_validator(mode="after")
    def _payloads_go_with_their_runs(self) -> "Settings":
        if 0 < self.keep_runs_days < self.keep_payloads_days:
            raise ValueError("MODELTRACES_KEEP_PAYLOADS_DAYS must not be more than MODELTRACES_KEEP_RUNS_DAYS")
        return self

    @cached_property
    def embedded(self) -> bool:
        return self.store_url.startswith("chdb:")


def keep_grpc_out_of_forks() -> None:
    """To be called before gRPC is imported. Its handlers are for programs that go on after a fork, and complain in the log of each
    decoding process that is started; ours run another program at once. https://github.com/grpc/grpc/blob/master/doc/fork_support.md
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")


def load_settings(**options: Any) -> Settings:
    """The settings from the environment, overridden by those options that are not None.

    Raises BadSettings with one line that names each option and what it takes.
    """
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        raise BadSettings(
            "; ".join(_line(one) for one in error.errors(include_url=False, include_input=False))
        ) from None
    except SettingsError as error:
        name = str(error).partition('"')[2].partition('"')[0]
        raise BadSettings(f'MODELTRACES_{name.upper()}: must be a JSON list, such as ["sk-[A-Za-z0-9]+"]') from None
    except OSError as error:
        raise BadSettings(f"a secret's file cannot be read: {error.filename}: {error.strerror}") from None


def load_demo_settings(**options: Any) -> Settings:
    """As load_settings, with the demo's own data directory where nothing names one."""
    settings = load_settings(**options)
    if "data_dir" in settings.model_fields_set:
        return settings
    return load_settings(**options | {"data_dir": DEMO_DATA_DIR})


class BadSettings(ValueError):
    """An option, or a variable of the environment, that cannot be used; the text is one line and holds no value."""


def _line(error: Any) -> str:
    text = str(error["msg"])
    text = text.removeprefix("Value error, ")
    if not error["loc"]:
        return text
    name = str(error["loc"][0])
    option = f"--{name.replace('_', '-')} " if name in ("host", "port", "data_dir", "otlp_grpc_port") else ""
    return (
        f"{option}(MODELTRACES_{name.upper()}): {text[:1].lower()}{text[1:]}"
        if option
        else f"MODELTRACES_{name.upper()}: {text[:1].lower()}{text[1:]}"
    )
