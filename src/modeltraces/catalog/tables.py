"""The catalog's tables. Ids are UUIDs as text; times are microseconds since the epoch, UTC, in columns `*_us`.

Secrets (passwords, tokens, keys) are kept as digests only. `migrations/` makes these tables; a test compares the two.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows by itself only in a column of exactly this type.
AutoId = BigInteger().with_variant(Integer(), "sqlite")
# Compared by code points, as SQLite does; `migrations/env.py` sees to it.
Words = Text().with_variant(Text(collation="C"), "postgresql")

EVERY_MODEL: Final = "*"
"""In place of names: what a connection reaches is up to its provider."""


class Table(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Words, int: BigInteger(), bool: Boolean(), dict[str, Any]: JSON()}  # noqa: RUF012


class InstallationRow(Table):
    """What holds for all processes over this database."""

    __tablename__ = "installation"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class AccountRow(Table):
    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    created_on_us: Mapped[int]
    models_revision: Mapped[int] = mapped_column(default=0)
    """Counts changes to the account's models, so that a process knows with one small read that its copy is current."""


class UserRow(Table):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    """Always lower case, which makes it unique whatever the case it was typed in."""
    password_hash: Mapped[str | None]
    created_on_us: Mapped[int]
    disabled: Mapped[bool] = mapped_column(default=False)


class MembershipRow(Table):
    __tablename__ = "memberships"
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str]
    created_on_us: Mapped[int]
    __table_args__ = (CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),)


class SessionRow(Table):
    __tablename__ = "sessions"
    id_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    csrf_token: Mapped[str]
    created_on_us: Mapped[int]
    last_seen_on_us: Mapped[int]
    expires_on_us: Mapped[int] = mapped_column(index=True)
    user_agent: Mapped[str]


class ApiKeyRow(Table):
    __tablename__ = "api_keys"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    prefix: Mapped[str]
    scopes: Mapped[str]
    """Separated by spaces."""
    default_source_type: Mapped[str]
    default_source: Mapped[str]
    created_on_us: Mapped[int]
    created_by: Mapped[str]
    expires_on_us: Mapped[int | None]
    revoked_on_us: Mapped[int | None]
    last_used_on_us: Mapped[int | None]
    requests_per_minute: Mapped[int | None]
    """Through the gateway; None: no limit. So with the tokens."""
    tokens_per_day: Mapped[int | None]
    allowed_models: Mapped[str] = mapped_column(default="[]", server_default="[]")
    """JSON array of the names that the key may call; empty: every model."""
    recording: Mapped[str] = mapped_column(default="full", server_default="full")
    """What is recorded of its calls through the gateway: `full`, `metadata` or `off`."""


class KeyUsageRow(Table):
    """What a limited key has used of a minute or a day, added up over the processes that serve it."""

    __tablename__ = "key_usage"
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.id", ondelete="CASCADE"), primary_key=True)
    span_seconds: Mapped[int] = mapped_column(primary_key=True)
    """60 or 86 400."""
    starts_on_us: Mapped[int] = mapped_column(primary_key=True)
    requests: Mapped[int]
    tokens: Mapped[int]


class ModelRow(Table):
    __tablename__ = "models"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str]
    kind: Mapped[str]
    kind_is_inferred: Mapped[bool] = mapped_column(default=True)
    """False once somebody chose the kind: ingest then leaves it alone."""
    base_model: Mapped[str]
    provider: Mapped[str]
    first_run_on_us: Mapped[int | None]
    created_on_us: Mapped[int]
    archived_on_us: Mapped[int | None]
    merged_into_id: Mapped[str | None] = mapped_column(ForeignKey("models.id"), index=True)
    """The model that its runs are counted with. The entry itself stays, so that a merge can be undone."""
    routing: Mapped[dict[str, Any] | None]
    """How the gateway spreads its calls: `weights` by deployment version or connection, `fallbacks` in order. None: the
    newest version that is up, or the connection that names it."""
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        CheckConstraint("kind IN ('open_source', 'fine_tuned', 'external')", name="kind"),
    )


class ModelNameRow(Table):
    """Maps the name that runs bear to a model, so that models can be renamed and merged without touching a run.

    A name that a model had before is kept here, too, whether runs bear it (`is_borne`) or not.
    """

    __tablename__ = "model_names"
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    recorded_name: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), index=True)
    is_borne: Mapped[bool] = mapped_column(server_default=true())


class HardwareRow(Table):
    """What replicas run on. Its price stands in `hardware_prices`, and changes there only by a new row."""

    __tablename__ = "hardware"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str]
    created_on_us: Mapped[int]
    archived_on_us: Mapped[int | None]
    __table_args__ = (UniqueConstraint("account_id", "name"),)


class HardwarePriceRow(Table):
    __tablename__ = "hardware_prices"
    hardware_id: Mapped[str] = mapped_column(ForeignKey("hardware.id", ondelete="CASCADE"), primary_key=True)
    from_us: Mapped[int] = mapped_column(primary_key=True)
    credits_per_replica_hour: Mapped[str]
    """Decimal as text: SQLite has no decimals. So with every price."""
    actor: Mapped[str]


class DeploymentRow(Table):
    """A version of an open-source or fine-tuned model: made by people, or seen on runs (then without hosting)."""

    __tablename__ = "deployments"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    version: Mapped[str]
    created_on_us: Mapped[int]
    hardware_id: Mapped[str | None] = mapped_column(ForeignKey("hardware.id"), index=True)
    credits_per_replica_hour: Mapped[str | None]
    """Its own price, in place of its hardware's."""
    endpoint: Mapped[str] = mapped_column(default="", server_default="")
    protocol: Mapped[str] = mapped_column(default="", server_default="")
    upstream_model: Mapped[str] = mapped_column(default="", server_default="")
    credential: Mapped[str | None]
    """Encrypted."""
    __table_args__ = (UniqueConstraint("model_id", "version"),)


class DeploymentEventRow(Table):
    """The ledger of hosting. Rows are only added; one that was a mistake is struck out, and stays."""

    __tablename__ = "deployment_events"
    id: Mapped[int] = mapped_column(AutoId, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id", ondelete="CASCADE"), index=True)
    type: Mapped[str]
    on_us: Mapped[int]
    replicas: Mapped[int | None]
    credits_per_replica_hour: Mapped[str | None]
    """The price that applied: kept here, so that a later change of prices never rewrites history."""
    hardware: Mapped[str]
    actor: Mapped[str]
    recorded_on_us: Mapped[int]
    struck_on_us: Mapped[int | None]
    struck_by: Mapped[str | None]
    __table_args__ = (CheckConstraint("type IN ('deploy', 'scale', 'undeploy')", name="type"),)


class ConnectionRow(Table):
    __tablename__ = "connections"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str]
    provider: Mapped[str]
    created_on_us: Mapped[int]
    protocol: Mapped[str] = mapped_column(default="", server_default="")
    """'' for one that was only seen on runs."""
    base_url: Mapped[str] = mapped_column(default="", server_default="")
    credential: Mapped[str | None]
    """Encrypted."""
    reaches: Mapped[str] = mapped_column(default="[]", server_default="[]")
    """JSON array of the models' names upstream, or `["*"]`."""
    archived_on_us: Mapped[int | None]
    __table_args__ = (UniqueConstraint("account_id", "name"),)


class ModelConnectionRow(Table):
    """Which connections a model's runs came through."""

    __tablename__ = "model_connections"
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    connection_id: Mapped[str] = mapped_column(
        ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class MatchRuleRow(Table):
    """Which model, deployment or connection a run belongs to, by what it says. The first that is met decides."""

    __tablename__ = "match_rules"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str]
    position: Mapped[int]
    conditions: Mapped[dict[str, Any]]
    """Fact → list of patterns."""
    outcomes: Mapped[dict[str, Any]]
    enabled: Mapped[bool] = mapped_column(default=True)
    created_on_us: Mapped[int]
    __table_args__ = (UniqueConstraint("account_id", "name"),)


class JobRow(Table):
    """Work on many runs, with how far it is."""

    __tablename__ = "jobs"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    state: Mapped[str]
    done: Mapped[int]
    total: Mapped[int]
    """Runs."""
    error: Mapped[str]
    actor: Mapped[str]
    started_on_us: Mapped[int]
    ended_on_us: Mapped[int | None]
    alive_on_us: Mapped[int] = mapped_column(default=0, server_default="0")
    """The last sign of life of the process that does it."""
    basis: Mapped[str] = mapped_column(default="", server_default="")
    """A digest of what it was started with: who takes it over goes on only while that stands."""
    __table_args__ = (CheckConstraint("state IN ('running', 'done', 'failed')", name="state"),)


class RetentionRow(Table):
    """How long an account keeps its runs and their payloads, where it says so itself. 0: for ever; None: as the server does."""

    __tablename__ = "retention"
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    keep_runs_days: Mapped[int | None]
    keep_payloads_days: Mapped[int | None]


class ModelRetentionRow(Table):
    """The same for one model. None: as the account does."""

    __tablename__ = "model_retention"
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    keep_runs_days: Mapped[int | None]
    keep_payloads_days: Mapped[int | None]


class SweepRow(Table):
    """The last sweep of what is past its limit; while it runs, who does it. There is one row."""

    __tablename__ = "sweeps"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    holder: Mapped[str] = mapped_column(default="", server_default="")
    """The process that does it; '' when none does."""
    alive_on_us: Mapped[int] = mapped_column(default=0, server_default="0")
    asked_on_us: Mapped[int] = mapped_column(default=0, server_default="0")
    """When somebody last asked for one out of turn."""
    started_on_us: Mapped[int] = mapped_column(default=0, server_default="0")
    ended_on_us: Mapped[int] = mapped_column(default=0, server_default="0")
    error: Mapped[str] = mapped_column(default="", server_default="")
    removed: Mapped[dict[str, Any] | None]
    """By account: `runs`, `payloads` and `text_bytes` that it removed."""


class AuditRow(Table):
    __tablename__ = "audit_log"
    id: Mapped[int] = mapped_column(AutoId, primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    at_us: Mapped[int]
    actor: Mapped[str]
    action: Mapped[str]
    object: Mapped[str]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    __table_args__ = (Index(None, "account_id", "id"),)


class SigninLinkRow(Table):
    __tablename__ = "signin_links"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    """None: the link makes the account's first owner."""
    created_on_us: Mapped[int]
    expires_on_us: Mapped[int]
    used_on_us: Mapped[int | None]


class SigninAttemptRow(Table):
    __tablename__ = "signin_attempts"
    id: Mapped[int] = mapped_column(AutoId, primary_key=True)
    email: Mapped[str]
    address: Mapped[str]
    at_us: Mapped[int] = mapped_column(index=True)
    __table_args__ = (Index(None, "email", "at_us"), Index(None, "address", "at_us"))
