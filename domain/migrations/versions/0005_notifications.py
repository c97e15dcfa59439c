"""Notifications: what riders are told.

Revision: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("metro_id", sa.Uuid(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "email_verification",
                "account_exists",
                "password_reset",
                "password_changed",
                "second_factor_changed",
                "reservation_expired",
                "reservation_cancelled",
                "vehicle_withdrawn",
                "commute_reminder",
                "licence_decided",
                "export_ready",
                "account_erased",
                name="notificationkind",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(customer_id is null) <> (email is null)", name=op.f("ck_notifications_one_recipient")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_notifications_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_notifications_metro_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.UniqueConstraint("key", name=op.f("uq_notifications_key")),
    )
    op.create_index("ix_notifications_customer_id_id", "notifications", ["customer_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("notifications")
