"""Returns: when vehicles said where they stand and whether they charge; why staff ended a trip.

Revision: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("vehicles", sa.Column("position_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("vehicles", sa.Column("plugged_in_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("trips", sa.Column("end_reason", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("trips", "end_reason")
    op.drop_column("vehicles", "plugged_in_at")
    op.drop_column("vehicles", "position_at")
