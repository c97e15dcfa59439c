"""History of the event log: horizons of what is gone, and the indexes that retention and compaction go by.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

from domain.tables.log import Xid8

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_log_horizons",
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("xid", Xid8(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", name=op.f("pk_event_log_horizons")),
    )
    # Not concurrently: that waits for every open snapshot, also of the processes that wait for this migration.
    op.create_index(
        "ix_event_log_topic_class_at",
        "event_log",
        [sa.text("split_part(topic, ':', 1)"), "at"],
        unique=False,
        postgresql_where=sa.text("topic not like 'chat:%'"),
    )
    op.create_index("ix_event_log_deltas_at", "event_log", ["at"], unique=False, postgresql_where=sa.text("kind = 'text.delta'"))
    # What is deleted is vacuumed before it outweighs what is kept.
    op.execute("alter table event_log set (autovacuum_vacuum_scale_factor = 0.05)")


def downgrade() -> None:
    op.execute("alter table event_log reset (autovacuum_vacuum_scale_factor)")
    op.drop_index("ix_event_log_deltas_at", table_name="event_log")
    op.drop_index("ix_event_log_topic_class_at", table_name="event_log")
    op.drop_table("event_log_horizons")
