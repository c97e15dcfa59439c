"""Second factors and their recovery codes.

Revision: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def _audience() -> sa.Enum:
    return sa.Enum("customer", "ops", name="audience", native_enum=False, create_constraint=True, length=40)


def upgrade() -> None:
    op.create_table(
        "second_factors",
        sa.Column("audience", _audience(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("audience", "account_id", name=op.f("pk_second_factors")),
    )
    op.create_index(
        "ix_second_factors_created_at",
        "second_factors",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("confirmed_at is null"),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("audience", _audience(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["audience", "account_id"],
            ["second_factors.audience", "second_factors.account_id"],
            name="fk_recovery_codes_account_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("audience", "account_id", "digest", name=op.f("pk_recovery_codes")),
    )


def downgrade() -> None:
    op.drop_table("recovery_codes")
    op.drop_table("second_factors")
