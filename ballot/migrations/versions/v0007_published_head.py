"""The heads that checkpoints show, each after a sweep of all that is stored."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Empty: the first sweep fills it."""
    op.create_table(
        "published_head",
        sa.Column("election_uuid", sa.String(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["election_uuid"], ["election.uuid"]),
        sa.PrimaryKeyConstraint("election_uuid"),
    )
