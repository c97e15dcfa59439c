"""Sessions: where an account is signed in, ending that from afar, and forgetting what is over."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, any_, delete, literal, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, history, tables
from domain.actor import Actor, Audience

#: shown to the account; the latest ones
LISTED = 100
#: an end is looked for again for this long: clocks differ, and a transaction commits after the instant that it writes
OVERLAP = timedelta(minutes=1)

_rows = tables.SignInSession


@dataclass(frozen=True, slots=True)
class Session:
    id: UUID
    created_at: datetime
    refreshed_at: datetime


def _own(who: Actor) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _rows.audience == who.audience, _rows.account_id == who.account_id


def _open(now: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _rows.ended_at.is_(None), _rows.expires_at > now


async def list_sessions(session: AsyncSession, who: Actor, *, now: datetime) -> list[Session]:
    """Those that are not over, the one refreshed last first."""
    columns = select(_rows.id, _rows.created_at, _rows.refreshed_at)
    latest = columns.where(*_own(who), *_open(now)).order_by(_rows.refreshed_at.desc(), _rows.id.desc()).limit(LISTED)
    return [Session(*row) for row in await session.execute(latest)]


async def find_session(session: AsyncSession, who: Actor, session_id: UUID, *, now: datetime) -> Session | None:
    columns = select(_rows.id, _rows.created_at, _rows.refreshed_at)
    row = (await session.execute(columns.where(_rows.id == session_id, *_own(who), *_open(now)))).one_or_none()
    return None if row is None else Session(*row)


async def end_session(session: AsyncSession, who: Actor, *, session_id: UUID, now: datetime) -> None:
    """One that is over stays so. Raises NotFound; SessionEnded when the session that asks is over itself: whoever was
    sent away ends nobody else's."""
    named = select(_rows).where(_rows.id.in_({session_id, who.session_id}), *_own(who)).order_by(_rows.id).with_for_update()
    found = {row.id: row for row in (await session.execute(named)).scalars()}
    if (row := found.get(session_id)) is None:
        raise errors.NotFound("You have no session of that id.", path="sessionId")
    if not _is_open(row, now):
        return
    if not _is_open(found.get(who.session_id), now):
        raise errors.SessionEnded
    row.ended_at = now
    await session.flush()


def _is_open(row: tables.SignInSession | None, now: datetime) -> bool:
    return row is not None and row.ended_at is None and row.expires_at > now


async def end_all_sessions(session: AsyncSession, who: Actor, *, is_current_kept: bool, now: datetime) -> int:
    """Those of the account, with or without the one that asks; how many. Raises SessionEnded when that one is over, unless
    there is nothing left to do."""
    locked = select(_rows.id).where(*_own(who), *_open(now)).order_by(_rows.id).with_for_update()
    ending = set((await session.execute(locked)).scalars())
    if who.session_id not in ending and (ending or is_current_kept):
        raise errors.SessionEnded
    if is_current_kept:
        ending.discard(who.session_id)
    else:
        await _forget_devices(session, who.audience, who.account_id)
    await session.execute(update(_rows).where(_rows.id == _any(ending)).values(ended_at=now))
    return len(ending)


async def require_open(session: AsyncSession, who: Actor, *, now: datetime) -> None:
    """The session that asks stays open until the end of the transaction. Raises SessionEnded: an access token outlives its
    session by minutes."""
    asking = select(_rows.id).where(_rows.id == who.session_id, *_own(who), *_open(now)).with_for_update(read=True)
    if (await session.execute(asking)).one_or_none() is None:
        raise errors.SessionEnded


async def end_sessions_of(session: AsyncSession, audience: Audience, account_id: UUID, *, now: datetime) -> None:
    """All of an account, asked for by none of them."""
    own = (_rows.audience == audience, _rows.account_id == account_id, *_open(now))
    locked = select(_rows.id).where(*own).order_by(_rows.id).with_for_update()
    ending = set((await session.execute(locked)).scalars())
    await session.execute(update(_rows).where(_rows.id == _any(ending)).values(ended_at=now))
    await _forget_devices(session, audience, account_id)


async def _forget_devices(session: AsyncSession, audience: Audience, account_id: UUID) -> None:
    """Nobody is signed in any more: a phone that somebody else has is told nothing. Apps that sign in again register again."""
    if audience is Audience.CUSTOMER:
        await session.execute(delete(tables.PushDevice).where(tables.PushDevice.customer_id == account_id))


async def find_ended_sessions(session: AsyncSession, *, since: datetime, among: Collection[UUID]) -> set[UUID]:
    """Those that ended since an instant, whosesoever, and those of `among` that ended whenever."""
    recently = select(_rows.id).where(_rows.ended_at >= since - OVERLAP)
    known = select(_rows.id).where(_rows.id == _any(among), _rows.ended_at.is_not(None))
    # Each by its index: an `or` of the two compares every row found with every id.
    return set((await session.execute(union_all(recently, known))).scalars())


def _any(session_ids: Collection[UUID]) -> ColumnElement[bool]:
    # One parameter, however many there are.
    return any_(literal(list(session_ids), ARRAY(Uuid)))


async def forget_sessions(session: AsyncSession, *, now: datetime, limit: int = history.BATCH) -> int:
    """Deletes rotated refresh tokens of sessions that have expired, then these; one that was ended early waits for the same
    day. Returns how many rows; fewer than `limit` when no more are due. Several sweepers may run at once."""
    rotated = tables.RotatedRefreshToken
    due = select(_rows.id).where(_rows.expires_at <= now).order_by(_rows.expires_at)
    spent = select(rotated.digest).where(rotated.session_id.in_(due)).limit(limit).with_for_update(skip_locked=True)
    tokens = (await session.execute(delete(rotated).where(rotated.digest.in_(spent)).returning(rotated.digest))).all()
    if len(tokens) == limit:
        return limit
    has_tokens = select(rotated.digest).where(rotated.session_id == _rows.id).exists()
    over = due.where(~has_tokens).limit(limit).with_for_update(skip_locked=True)
    gone = (await session.execute(delete(_rows).where(_rows.id.in_(over)).returning(_rows.id))).all()
    return len(gone)
