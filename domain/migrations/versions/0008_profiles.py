"""Profiles: phone numbers, saved places and driving licences. Nobody has a licence yet.

Revision: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _checked(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    op.add_column("customers", sa.Column("phone", sa.String(length=16), nullable=True))
    op.create_table(
        "saved_places",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("kind", _checked("savedplacekind", "home", "work", "favourite"), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lon", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fk_saved_places_customer_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_places")),
    )
    op.create_index("ix_saved_places_customer_id_name", "saved_places", ["customer_id", "kind", "name"], unique=True)
    op.create_index(
        "ix_saved_places_one_home_one_work",
        "saved_places",
        ["customer_id", "kind"],
        unique=True,
        postgresql_where=sa.text("kind in ('home', 'work')"),
    )
    op.create_table(
        "driving_licences",
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("country_code", sa.String(length=2), nullable=False),
        sa.Column("number_digest", sa.LargeBinary(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("number_ending", sa.String(length=4), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("categories", sa.ARRAY(sa.String(length=3)), nullable=False),
        sa.Column(
            "state",
            _checked("licencestate", "not_submitted", "pending", "verified", "rejected", "expired"),
            nullable=False,
        ),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("checks", sa.Integer(), nullable=False),
        sa.Column("check_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state in ('pending', 'verified', 'rejected')", name=op.f("ck_driving_licences_stored_state")),
        sa.CheckConstraint("(state = 'pending') = (decided_at is null)", name=op.f("ck_driving_licences_decided_once")),
        sa.CheckConstraint("state = 'pending' or number_sealed is null", name=op.f("ck_driving_licences_number_wiped")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name=op.f("fk_driving_licences_customer_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["staff.id"], name=op.f("fk_driving_licences_decided_by"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_driving_licences")),
        sa.UniqueConstraint("id", name=op.f("uq_driving_licences_id")),
    )
    op.create_index("ix_driving_licences_number_digest", "driving_licences", ["number_digest"], unique=False)
    op.create_index(
        "ix_driving_licences_check_at",
        "driving_licences",
        ["check_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )


def downgrade() -> None:
    op.drop_table("driving_licences")
    op.drop_table("saved_places")
    op.drop_column("customers", "phone")
