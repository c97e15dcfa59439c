"""Deliveries: what becomes of notifications, by which ways riders want them, and devices.

Revision: 0010
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _choice(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def _instant(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    op.add_column("notifications", _instant("planned_at", nullable=True))
    op.create_index("ix_notifications_unplanned", "notifications", ["created_at"], postgresql_where=sa.text("planned_at is null"))
    op.create_index(
        "ix_notifications_unread", "notifications", ["customer_id", "id"], postgresql_where=sa.text("read_at is null")
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("channel", _choice("channel", "email", "sms", "push"), nullable=False),
        sa.Column("state", _choice("deliverystate", "queued", "sent", "failed", "skipped"), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        _instant("next_attempt_at", nullable=True),
        sa.Column("reason", sa.String(length=100), nullable=True),
        sa.Column("is_simulated", sa.Boolean(), nullable=False),
        _instant("created_at"),
        _instant("sent_at", nullable=True),
        sa.CheckConstraint("(state = 'queued') = (next_attempt_at is not null)", name=op.f("ck_deliveries_queued_is_due")),
        sa.CheckConstraint("(state = 'sent') = (sent_at is not null)", name=op.f("ck_deliveries_sent_at")),
        sa.ForeignKeyConstraint(
            ["notification_id"], ["notifications.id"], name=op.f("fk_deliveries_notification_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deliveries")),
        sa.UniqueConstraint("notification_id", "channel", name=op.f("uq_deliveries_notification_id_channel")),
    )
    op.create_index(
        "ix_deliveries_queued", "deliveries", ["channel", "next_attempt_at"], postgresql_where=sa.text("state = 'queued'")
    )
    op.create_index("ix_deliveries_state_id", "deliveries", ["state", "id"])
    op.create_table(
        "notification_preferences",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("category", _choice("category", "account", "reservations", "commutes", "marketing"), nullable=False),
        sa.Column("channel", _choice("channel", "email", "sms", "push"), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        _instant("updated_at"),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_notification_preferences_customer_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("customer_id", "category", "channel", name=op.f("pk_notification_preferences")),
    )
    op.create_table(
        "push_devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("platform", _choice("pushplatform", "ios", "android", "web"), nullable=False),
        sa.Column("token", sa.String(length=4096), nullable=False),
        _instant("registered_at"),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_push_devices_customer_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push_devices")),
        sa.UniqueConstraint("token", name=op.f("uq_push_devices_token")),
    )
    op.create_index("ix_push_devices_customer_id", "push_devices", ["customer_id"])


def downgrade() -> None:
    op.drop_table("push_devices")
    op.drop_table("notification_preferences")
    op.drop_table("deliveries")
    op.drop_index("ix_notifications_unread", table_name="notifications")
    op.drop_index("ix_notifications_unplanned", table_name="notifications")
    op.drop_column("notifications", "planned_at")
