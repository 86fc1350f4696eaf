"""Hosting: hardware and its prices, deployments with their ledger; connections that can be used; merged models."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hardware",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_on_us", sa.BigInteger(), nullable=False),
        sa.Column("archived_on_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_hardware_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hardware")),
        sa.UniqueConstraint("account_id", "name", name=op.f("uq_hardware_account_id_name")),
    )
    op.create_table(
        "hardware_prices",
        sa.Column("hardware_id", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger(), nullable=False),
        sa.Column("credits_per_replica_hour", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["hardware_id"], ["hardware.id"], name=op.f("fk_hardware_prices_hardware_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hardware_id", "from_us", name=op.f("pk_hardware_prices")),
    )
    # In SQL of its own, which both databases read: to add a constraint, Alembic would make SQLite's table anew and drop
    # the old one, and with it, by their foreign keys, the rows of every table that refers to it.
    op.execute(
        "ALTER TABLE models ADD COLUMN merged_into_id TEXT CONSTRAINT fk_models_merged_into_id REFERENCES models (id)"
    )
    op.create_index(op.f("ix_models_merged_into_id"), "models", ["merged_into_id"])
    op.execute(
        "ALTER TABLE deployments ADD COLUMN hardware_id TEXT "
        "CONSTRAINT fk_deployments_hardware_id REFERENCES hardware (id)"
    )
    op.create_index(op.f("ix_deployments_hardware_id"), "deployments", ["hardware_id"])
    op.add_column("deployments", sa.Column("credits_per_replica_hour", sa.Text(), nullable=True))
    for name in ("endpoint", "protocol", "upstream_model"):
        op.add_column("deployments", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("deployments", sa.Column("credential", sa.Text(), nullable=True))
    for name in ("protocol", "base_url"):
        op.add_column("connections", sa.Column(name, sa.Text(), nullable=False, server_default=""))
    op.add_column("connections", sa.Column("credential", sa.Text(), nullable=True))
    op.add_column("connections", sa.Column("reaches", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("connections", sa.Column("archived_on_us", sa.BigInteger(), nullable=True))
    op.create_table(
        "deployment_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("on_us", sa.BigInteger(), nullable=False),
        sa.Column("replicas", sa.BigInteger(), nullable=True),
        sa.Column("credits_per_replica_hour", sa.Text(), nullable=True),
        sa.Column("hardware", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("recorded_on_us", sa.BigInteger(), nullable=False),
        sa.Column("struck_on_us", sa.BigInteger(), nullable=True),
        sa.Column("struck_by", sa.Text(), nullable=True),
        sa.CheckConstraint("type IN ('deploy', 'scale', 'undeploy')", name=op.f("ck_deployment_events_type")),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_deployment_events_account_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["deployment_id"], ["deployments.id"], name=op.f("fk_deployment_events_deployment_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment_events")),
    )
    op.create_index(op.f("ix_deployment_events_account_id"), "deployment_events", ["account_id"])
    op.create_index(op.f("ix_deployment_events_deployment_id"), "deployment_events", ["deployment_id"])


def downgrade() -> None:
    raise NotImplementedError("A catalog is not taken back to an older version: restore its backup instead.")
