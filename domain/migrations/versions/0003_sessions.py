"""Sessions: every refresh token that was rotated away, and the indexes that ends and expiries are looked up by.

Revision: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rotated_refresh_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sign_in_sessions.id"], name=op.f("fk_rotated_refresh_tokens_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_rotated_refresh_tokens")),
    )
    op.create_index("ix_rotated_refresh_tokens_session_id", "rotated_refresh_tokens", ["session_id"], unique=False)
    # The one token before that was remembered until now.
    op.execute(
        "insert into rotated_refresh_tokens (digest, session_id, rotated_at)"
        " select previous_refresh_hash, id, refreshed_at from sign_in_sessions where previous_refresh_hash is not null"
        " on conflict do nothing"
    )
    op.drop_index("ix_sign_in_sessions_previous_refresh_hash", table_name="sign_in_sessions")
    op.drop_column("sign_in_sessions", "previous_refresh_hash")
    op.create_index("ix_sign_in_sessions_expires_at", "sign_in_sessions", ["expires_at"], unique=False)
    op.create_index(
        "ix_sign_in_sessions_ended_at",
        "sign_in_sessions",
        ["ended_at"],
        unique=False,
        postgresql_where=sa.text("ended_at is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix_sign_in_sessions_ended_at", table_name="sign_in_sessions")
    op.drop_index("ix_sign_in_sessions_expires_at", table_name="sign_in_sessions")
    op.add_column("sign_in_sessions", sa.Column("previous_refresh_hash", sa.LargeBinary(), nullable=True))
    op.execute(
        "update sign_in_sessions s set previous_refresh_hash ="
        " (select digest from rotated_refresh_tokens r where r.session_id = s.id order by rotated_at desc limit 1)"
    )
    op.create_index("ix_sign_in_sessions_previous_refresh_hash", "sign_in_sessions", ["previous_refresh_hash"], unique=False)
    op.drop_table("rotated_refresh_tokens")
