"""Counting a large meeting's mails by state reads an index alone."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """No row changes."""
    op.create_index("ix_outbox_meeting_kind_state", "outbox", ["meeting_id", "kind", "state"], unique=False)
