"""Practice copies, dates of deletion, keys reported lost, paper cards."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Columns that a row of the first schema fills with nothing."""
    op.add_column("meeting", sa.Column("practice_of", sa.String(), nullable=True))
    op.add_column("election", sa.Column("copy_of", sa.String(), nullable=True))
    op.add_column("election", sa.Column("tidy_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("trustee", sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("roll_entry", sa.Column("cards", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("roll_entry", sa.Column("card_link_by", sa.String(), nullable=False, server_default=""))
    op.add_column("roll_entry", sa.Column("card_code_by", sa.String(), nullable=False, server_default=""))
