"""The gateway's limits by key, what is used of them, and how a model's calls are spread."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("requests_per_minute", sa.BigInteger(), nullable=True))
    op.add_column("api_keys", sa.Column("tokens_per_day", sa.BigInteger(), nullable=True))
    op.add_column("api_keys", sa.Column("allowed_models", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("api_keys", sa.Column("recording", sa.Text(), nullable=False, server_default="full"))
    op.create_table(
        "key_usage",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("span_seconds", sa.BigInteger(), nullable=False),
        sa.Column("starts_on_us", sa.BigInteger(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("fk_key_usage_key_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("key_id", "span_seconds", "starts_on_us", name=op.f("pk_key_usage")),
    )
    op.add_column("models", sa.Column("routing", sa.JSON(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("A catalog is not taken back to an older version: restore its backup instead.")
