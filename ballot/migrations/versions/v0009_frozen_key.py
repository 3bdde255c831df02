"""A roll keeps the address that was frozen beside the corrected one, so that its fingerprint can be checked for ever."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Rolls whose addresses were corrected before this version keep the corrected one only."""
    with op.batch_alter_table("roll_entry") as table:
        table.add_column(sa.Column("frozen_key", sa.String(), nullable=False, server_default=""))
