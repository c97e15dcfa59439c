"""Photo sweeps: indexes by which old photos are found, and what refers to one that goes.

Revision: 0021
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_OF_PHOTOS = {"fines": "photo_id", "support_tickets": "photo_id", "trips": "return_photo_id"}


def upgrade() -> None:
    old = sa.text("stored_at is not null and forget_at is null")
    op.create_index("ix_photos_stored_at", "photos", ["stored_at"], unique=False, postgresql_where=old)
    for table, column in _OF_PHOTOS.items():
        there = sa.text(f"{column} is not null")
        op.create_index(f"ix_{table}_{column}", table, [column], unique=False, postgresql_where=there)


def downgrade() -> None:
    for table, column in _OF_PHOTOS.items():
        op.drop_index(f"ix_{table}_{column}", table_name=table)
    op.drop_index("ix_photos_stored_at", table_name="photos")
