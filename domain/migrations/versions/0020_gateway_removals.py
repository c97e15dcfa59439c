"""Payments: what the gateway is still to forget.

Revision: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_removals",
        sa.Column("gateway_ref", sa.String(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("card", "customer", name="removalkind", native_enum=False, create_constraint=True, length=40),
            nullable=False,
        ),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("gateway_ref", name=op.f("pk_gateway_removals")),
    )
    op.create_index("ix_gateway_removals_next_attempt_at", "gateway_removals", ["next_attempt_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_gateway_removals_next_attempt_at", table_name="gateway_removals")
    op.drop_table("gateway_removals")
