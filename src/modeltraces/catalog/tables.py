"""The catalog's tables. Ids are UUIDs as text; times are microseconds since the epoch, UTC, in columns `*_us`.

Secrets (passwords, tokens, keys) are kept as digests only. `migrations/` makes these tables; a test compares the two.
"""

from typing import Any

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
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite numbers rows by itself only in a column of exactly this type.
AutoId = BigInteger().with_variant(Integer(), "sqlite")


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
    type_annotation_map = {str: Text(), int: BigInteger(), bool: Boolean(), dict[str, Any]: JSON()}  # noqa: RUF012


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
    __table_args__ = (
        UniqueConstraint("account_id", "name"),
        CheckConstraint("kind IN ('open_source', 'fine_tuned', 'external')", name="kind"),
    )


class ModelNameRow(Table):
    """Maps the name that runs bear to a model, so that models can be renamed and merged without touching a run."""

    __tablename__ = "model_names"
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True)
    recorded_name: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), index=True)


class DeploymentRow(Table):
    __tablename__ = "deployments"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"), index=True)
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"))
    version: Mapped[str]
    created_on_us: Mapped[int]
    __table_args__ = (UniqueConstraint("model_id", "version"),)


class ConnectionRow(Table):
    __tablename__ = "connections"
    id: Mapped[str] = mapped_column(primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    name: Mapped[str]
    provider: Mapped[str]
    created_on_us: Mapped[int]
    __table_args__ = (UniqueConstraint("account_id", "name"),)


class ModelConnectionRow(Table):
    """Which connections a model's runs came through."""

    __tablename__ = "model_connections"
    model_id: Mapped[str] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), primary_key=True)
    connection_id: Mapped[str] = mapped_column(
        ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True, index=True
    )


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
