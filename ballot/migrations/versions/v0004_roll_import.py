"""Lists of members that are uploaded and not saved yet; a roll's name and how its file was read; the notice that the rules ask for."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table, and columns that a row made before fills with nothing."""
    op.add_column("meeting", sa.Column("notice_days", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("roll", sa.Column("name", sa.String(), nullable=False, server_default=""))
    op.add_column("roll", sa.Column("reading", sa.JSON(), nullable=False, server_default="{}"))
    op.create_table(
        "roll_upload",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("meeting_id", sa.String(), nullable=False),
        sa.Column("officer_id", sa.String(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sealed_file", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_work", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["meeting_id"], ["meeting.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("meeting_id", "officer_id"),
    )
