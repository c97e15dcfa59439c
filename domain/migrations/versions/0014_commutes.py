"""Commutes: ways that riders go again and again.

Revision: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "commutes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("metro_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("origin_place_id", sa.Uuid(), nullable=True),
        sa.Column("origin_label", sa.String(length=100), nullable=False),
        sa.Column("origin_lat", sa.Float(), nullable=False),
        sa.Column("origin_lon", sa.Float(), nullable=False),
        sa.Column("destination_place_id", sa.Uuid(), nullable=True),
        sa.Column("destination_label", sa.String(length=100), nullable=False),
        sa.Column("destination_lat", sa.Float(), nullable=False),
        sa.Column("destination_lon", sa.Float(), nullable=False),
        sa.Column("days", sa.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("arrive_by", sa.Time(), nullable=False),
        sa.Column("modes", sa.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("travel_seconds", sa.Integer(), nullable=False),
        sa.Column("reminder_minutes", sa.Integer(), nullable=True),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("next_reminder_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "cardinality(days) > 0 and days <@ array[1,2,3,4,5,6,7]::smallint[]", name=op.f("ck_commutes_days_of_week")
        ),
        sa.CheckConstraint("cardinality(modes) > 0", name=op.f("ck_commutes_some_mode")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_commutes_customer_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["metro_id"], ["metros.id"], name=op.f("fk_commutes_metro_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["origin_place_id"], ["saved_places.id"], name=op.f("fk_commutes_origin_place_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["destination_place_id"], ["saved_places.id"], name=op.f("fk_commutes_destination_place_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commutes")),
    )
    op.create_index("ix_commutes_customer_id_name", "commutes", ["customer_id", "name"], unique=True)
    op.create_index("ix_commutes_origin_place_id", "commutes", ["origin_place_id"], unique=False)
    op.create_index("ix_commutes_destination_place_id", "commutes", ["destination_place_id"], unique=False)
    op.create_index(
        "ix_commutes_next_reminder_at",
        "commutes",
        ["next_reminder_at"],
        unique=False,
        postgresql_where=sa.text("next_reminder_at is not null"),
    )


def downgrade() -> None:
    op.drop_table("commutes")
