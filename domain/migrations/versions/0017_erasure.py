"""Erasure: indexes by which the rows of a rider are found.

Revision: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_notifications_email", "notifications", ["email"], unique=False, postgresql_where=sa.text("email is not null")
    )
    op.create_index("ix_proposals_conversation_id", "proposals", ["conversation_id"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_proposals_conversation_id", table_name="proposals")
    op.drop_index("ix_notifications_email", table_name="notifications")
