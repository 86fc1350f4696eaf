"""How long runs and payloads are kept, by account and model; and the last sweep."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("keep_runs_days", sa.BigInteger(), nullable=True),
        sa.Column("keep_payloads_days", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_retention_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_retention")),
    )
    op.create_table(
        "model_retention",
        sa.Column("model_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("keep_runs_days", sa.BigInteger(), nullable=True),
        sa.Column("keep_payloads_days", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name=op.f("fk_model_retention_model_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("fk_model_retention_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model_id", name=op.f("pk_model_retention")),
    )
    op.create_index(op.f("ix_model_retention_account_id"), "model_retention", ["account_id"])
    op.create_table(
        "sweeps",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("holder", sa.Text(), nullable=False, server_default=""),
        sa.Column("alive_on_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("asked_on_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("started_on_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("ended_on_us", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("error", sa.Text(), nullable=False, server_default=""),
        sa.Column("removed", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sweeps")),
    )


def downgrade() -> None:
    raise NotImplementedError("A catalog is not taken back to an older version: restore its backup instead.")
