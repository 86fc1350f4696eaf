"""What several processes over one database must know of each other: the secret key they share, and what a job began with."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation")),
    )
    op.add_column("jobs", sa.Column("basis", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    raise NotImplementedError("A catalog is not taken back to an older version: restore its backup instead.")
