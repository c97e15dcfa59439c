"""Categories of notifications: trips and payments.

Revision: 0019
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_CATEGORIES = ("account", "reservations", "commutes", "marketing")
_NEW_CATEGORIES = ("trips", "payments")


def _must_be_one_of(values: tuple[str, ...]) -> None:
    name, table = op.f("ck_notification_preferences_category"), "notification_preferences"
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, f"category in ({', '.join(repr(value) for value in values)})")


def upgrade() -> None:
    _must_be_one_of(_CATEGORIES + _NEW_CATEGORIES)


def downgrade() -> None:
    op.execute("delete from notification_preferences where category in ('trips', 'payments')")
    _must_be_one_of(_CATEGORIES)
