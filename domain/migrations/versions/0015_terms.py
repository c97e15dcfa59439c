"""Terms: which version of them somebody agreed to at registering.

Revision: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of those who wait for their link at this moment nobody asked.
    version = sa.Column("document_version", sa.String(length=40), nullable=False, server_default="unknown")
    op.add_column("registrations", version)
    op.alter_column("registrations", "document_version", server_default=None)


def downgrade() -> None:
    op.drop_column("registrations", "document_version")
