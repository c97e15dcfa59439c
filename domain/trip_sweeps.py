"""Trip sweeps: what becomes of trips whose deposit or lock nobody ever answered for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import lock_commands, pauses, returns, tables, trip_ends, trips
from domain.tables import TripEnd, TripStep

_rows = tables.Trip


async def list_waiting_too_long(session: AsyncSession, *, now: datetime, limit: int = 100) -> Sequence[UUID]:
    """Each is settled in a transaction of its own: whoever has a trip locks its vehicle next, and two could wait in a ring."""
    due = select(_rows.id).where(_rows.awaits_until <= now).order_by(_rows.awaits_until, _rows.id).limit(limit)
    return (await session.execute(due)).scalars().all()


async def settle(session: AsyncSession, trip_id: UUID, *, now: datetime) -> None:
    """Ends what a trip waits for in vain. Nothing, if the answer came meanwhile."""
    row = await trips.lock_row(session, trip_id)
    if row is None or row.awaits_until is None or row.awaits_until > now:
        return
    if row.awaits is TripStep.AUTHORIZATION:
        await trip_ends.give_up(session, row, TripEnd.AUTHORIZATION_TIMED_OUT, now=now)
    elif row.awaits is TripStep.UNLOCK:
        await trip_ends.give_up(session, row, TripEnd.UNLOCK_TIMED_OUT, now=now)
        # It may have opened, and only its word be lost.
        await lock_commands.relock(session, vehicle_id=row.vehicle_id, trip_id=row.id, now=now)
    elif row.awaits is TripStep.RETURN:
        await returns.never_locked(session, row, now=now)
    else:
        await pauses.stay(session, row)
