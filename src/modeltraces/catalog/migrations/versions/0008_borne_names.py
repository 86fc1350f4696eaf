"""Which of a model's names its runs bear: those are what its provider knows it by."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_names", sa.Column("is_borne", sa.Boolean(), nullable=False, server_default=sa.true()))
    # Where no run ever came, none bears a name that was given up.
    op.execute(
        "UPDATE model_names SET is_borne = false WHERE model_id IN (SELECT id FROM models WHERE first_run_on_us IS NULL)"
    )


def downgrade() -> None:
    raise NotImplementedError("A catalog is not taken back to an older version: restore its backup instead.")
