"""Password resets: links by which a password may be set anew.

Revision: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    audience = sa.Enum("customer", "ops", name="audience", native_enum=False, create_constraint=True, length=40)
    op.create_table(
        "password_resets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("audience", audience, nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_resets")),
    )
    op.create_index("ix_password_resets_audience_account_id", "password_resets", ["audience", "account_id"], unique=False)
    op.create_index("ix_password_resets_expires_at", "password_resets", ["expires_at"], unique=False)


def downgrade() -> None:
    op.drop_table("password_resets")
