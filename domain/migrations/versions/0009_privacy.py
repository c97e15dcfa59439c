"""Privacy: consents, archives of what is known about riders, erased accounts, and the indexes that retention goes by.

Revision: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("customers", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_customers_erased_at", "customers", ["erased_at"], unique=False, postgresql_where=sa.text("erased_at is not null")
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column(
            "purpose",
            sa.Enum(
                "terms",
                "privacy_notice",
                "marketing",
                "push",
                "personalization",
                name="consentpurpose",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("document_version", sa.String(length=40), nullable=False),
        sa.Column("is_granted", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=40), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_consents_customer_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
    )
    op.create_index("ix_consents_customer_id_purpose_id", "consents", ["customer_id", "purpose", "id"], unique=False)
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "requested",
                "ready",
                "failed",
                "expired",
                name="exportstate",
                native_enum=False,
                create_constraint=True,
                length=40,
            ),
            nullable=False,
        ),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state in ('ready', 'expired')) = (expires_at is not null and size_bytes is not null)",
            name=op.f("ck_exports_ready_expires"),
        ),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_exports_customer_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exports")),
    )
    op.create_index(
        "ix_exports_one_requested", "exports", ["customer_id"], unique=True, postgresql_where=sa.text("state = 'requested'")
    )
    op.create_index("ix_exports_customer_id_id", "exports", ["customer_id", "id"], unique=False)
    op.create_index("ix_exports_requested_at", "exports", ["requested_at"], unique=False)
    op.create_table(
        "export_parts",
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["exports.id"], name=op.f("fk_export_parts_export_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("export_id", "number", name=op.f("pk_export_parts")),
    )
    op.create_index("ix_notifications_created_at", "notifications", ["created_at"], unique=False)
    op.create_index("ix_conversations_created_at", "conversations", ["created_at"], unique=False)
    op.create_index(
        "ix_reservations_closed_at",
        "reservations",
        ["closed_at"],
        unique=False,
        postgresql_where=sa.text("closed_at is not null and customer_id <> '00000000-0000-0000-0000-000000000001'"),
    )


def downgrade() -> None:
    op.drop_index("ix_reservations_closed_at", table_name="reservations")
    op.drop_index("ix_conversations_created_at", table_name="conversations")
    op.drop_index("ix_notifications_created_at", table_name="notifications")
    op.drop_table("export_parts")
    op.drop_table("exports")
    op.drop_table("consents")
    op.drop_column("customers", "erased_at")
