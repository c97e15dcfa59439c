"""Push devices: where the apps of a rider can be reached, a few of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, ids, tables
from domain.channels import PushPlatform

#: of one customer; one more takes the place of the oldest
MOST = 10
#: several times the longest of today; an entry of an index holds some 2,700 bytes
LONGEST_TOKEN = 2048

_rows = tables.PushDevice


def _check(token: str) -> None:
    if not 8 <= len(token) <= LONGEST_TOKEN or not token.isprintable() or not token.isascii():
        raise errors.InvalidInput.of("token", f"A token has 8 to {LONGEST_TOKEN} printable characters of ASCII.")


async def register_push_device(
    session: AsyncSession, customer_id: UUID, *, token: str, platform: PushPlatform, now: datetime
) -> int:
    """How many devices the customer has now. A device that was another account's changes hands: whoever holds it is signed in
    here. Raises InvalidInput."""
    _check(token)
    statement = insert(_rows).values(id=ids.new(), customer_id=customer_id, platform=platform, token=token, registered_at=now)
    new = {"customer_id": customer_id, "platform": platform, "registered_at": now}
    await session.execute(statement.on_conflict_do_update(index_elements=["token"], set_=new))
    # The newest by what is in force now: two that register at once may leave one too many, until the next does.
    own = select(_rows.id).where(_rows.customer_id == customer_id).order_by(_rows.registered_at.desc(), _rows.id.desc())
    kept = list((await session.execute(own)).scalars())
    if kept[MOST:]:
        await session.execute(delete(_rows).where(_rows.id.in_(kept[MOST:])))
    return min(len(kept), MOST)


async def forget_push_device(session: AsyncSession, customer_id: UUID, *, token: str) -> None:
    """Forgotten before, or never known, is as good. Raises InvalidInput."""
    _check(token)
    await session.execute(delete(_rows).where(_rows.customer_id == customer_id, _rows.token == token))
