"""Cancellations: free until when, what they cost then, whose doing they were; how long who lets holds lapse has to wait.

Revision: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_METRO = {
    "cancel_free_minutes": "60",
    "cancel_grace_minutes": "5",
    "cool_down_holds": "3",
    "cool_down_hours": "24",
    "cool_down_minutes": "60",
}


def _text_enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    for name, default in _METRO.items():
        op.add_column("metros", sa.Column(name, sa.Integer(), server_default=default, nullable=False))
    # Versions that were quoted without a fee stay without one.
    op.add_column("tariffs", sa.Column("cancel_fee_minor", sa.Integer(), server_default="0", nullable=False))
    op.create_check_constraint(op.f("ck_tariffs_cancel_fee"), "tariffs", "cancel_fee_minor >= 0")
    for column in (
        sa.Column("cancel_free_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("late_cancel_minor", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancel_cause", _text_enum("cancelcause", "rider", "operator", "vehicle_withdrawn"), nullable=True),
        sa.Column("cancel_fee_minor", sa.Integer(), nullable=True),
        sa.Column("fee_settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fee_settlement", _text_enum("feesettlement", "paid", "waived"), nullable=True),
    ):
        op.add_column("reservations", column)
    fee = "cancel_fee_minor > 0 and late_cancel_minor >= 0"
    op.create_check_constraint(op.f("ck_reservations_cancel_fee"), "reservations", fee)
    settled = "(fee_settled_at is null) = (fee_settlement is null)"
    op.create_check_constraint(op.f("ck_reservations_settled_somehow"), "reservations", settled)
    op.create_index("ix_reservations_metro_id_starts_at", "reservations", ["metro_id", "starts_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_reservations_metro_id_starts_at", table_name="reservations")
    for name in (
        "cancel_free_until",
        "late_cancel_minor",
        "cancel_cause",
        "cancel_fee_minor",
        "fee_settled_at",
        "fee_settlement",
    ):
        op.drop_column("reservations", name)
    op.drop_column("tariffs", "cancel_fee_minor")
    for name in _METRO:
        op.drop_column("metros", name)
