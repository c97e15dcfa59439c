"""Lock commands: what the lock of a vehicle is asked to do, written with the change that asks for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, ids, jobs, tables
from domain.tables import LockAction, LockCommandState, LockPurpose, TripStep

#: for how long a lock is waited for; a return longer, for the rider has done all there is to do
PATIENCE = {
    TripStep.UNLOCK: timedelta(seconds=30),
    TripStep.PAUSE: timedelta(seconds=30),
    TripStep.RESUME: timedelta(seconds=30),
    TripStep.RETURN: timedelta(minutes=5),
}
#: for how long a vehicle is asked to close what it opened for nobody
RELOCK_PATIENCE = timedelta(minutes=15)
OPEN = (LockCommandState.QUEUED, LockCommandState.SENT)
ACTIONS = {
    LockPurpose.UNLOCK: LockAction.UNLOCK,
    LockPurpose.PAUSE: LockAction.LOCK,
    LockPurpose.RESUME: LockAction.UNLOCK,
    LockPurpose.RETURN: LockAction.LOCK,
    LockPurpose.RELOCK: LockAction.LOCK,
}

_commands = tables.LockCommand


async def ask(session: AsyncSession, row: tables.Trip, step: TripStep, *, now: datetime) -> None:
    """The lock is asked, and a trip that the transaction has locked waits for its answer."""
    until = now + PATIENCE[step]
    row.awaits, row.awaits_until = step, until
    await session.flush()
    purpose = LockPurpose(step.value)
    await order(session, vehicle_id=row.vehicle_id, trip_id=row.id, purpose=purpose, now=now, expires_at=until)


async def relock(session: AsyncSession, *, vehicle_id: UUID, trip_id: UUID | None, now: datetime) -> None:
    """Unless somebody rides it by now, or it is asked to close already."""
    if await has_open_trip(session, vehicle_id):
        return
    asked = select(_commands.id).where(
        _commands.vehicle_id == vehicle_id, _commands.purpose == LockPurpose.RELOCK, _commands.state.in_(OPEN)
    )
    if (await session.execute(asked.limit(1))).scalar_one_or_none() is None:
        until = now + RELOCK_PATIENCE
        await order(session, vehicle_id=vehicle_id, trip_id=trip_id, purpose=LockPurpose.RELOCK, now=now, expires_at=until)


async def was_being_closed(session: AsyncSession, vehicle_id: UUID, since: datetime) -> bool:
    """Whether it was asked to close what it opened for nobody, and that was given up because it was to be opened since then."""
    given_up = select(_commands.id).where(
        _commands.vehicle_id == vehicle_id,
        _commands.purpose == LockPurpose.RELOCK,
        _commands.state == LockCommandState.TIMED_OUT,
        _commands.requested_at <= since,
        _commands.expires_at > since,
    )
    return (await session.execute(given_up.limit(1))).scalar_one_or_none() is not None


async def has_open_trip(session: AsyncSession, vehicle_id: UUID) -> bool:
    trips = tables.Trip
    found = select(trips.id).where(trips.vehicle_id == vehicle_id, trips.state.in_(tables.OPEN_TRIP))
    return (await session.execute(found)).scalar_one_or_none() is not None


async def order(
    session: AsyncSession, *, vehicle_id: UUID, trip_id: UUID | None, purpose: LockPurpose, now: datetime, expires_at: datetime
) -> UUID:
    """Sent after the commit, again and again until it is answered or expires. Raises VehicleBusy."""
    still_asked = select(_commands.id).where(_commands.vehicle_id == vehicle_id, _commands.state.in_(OPEN))
    if purpose is not LockPurpose.RELOCK:
        still_asked = still_asked.where(_commands.purpose != LockPurpose.RELOCK)
        if (await session.execute(still_asked.limit(1))).scalar_one_or_none() is not None:
            raise errors.VehicleBusy(path="tripId")
        # What is to be opened now is not to be closed for nobody any more.
        await _time_out(session, _commands.vehicle_id == vehicle_id, _commands.purpose == LockPurpose.RELOCK)
    command_id = ids.new()
    session.add(
        _commands(
            id=command_id,
            vehicle_id=vehicle_id,
            trip_id=trip_id,
            action=ACTIONS[purpose],
            purpose=purpose,
            state=LockCommandState.QUEUED,
            attempts=0,
            requested_at=now,
            next_attempt_at=now,
            expires_at=expires_at,
        )
    )
    await session.flush()
    args = {"command_id": str(command_id)}
    await jobs.defer(session, jobs.SEND_LOCK_COMMAND, args, queue=jobs.Queue.CUSTOMER, lock=f"lock:{vehicle_id}")
    return command_id


async def withdraw(session: AsyncSession, trip_id: UUID) -> None:
    """Nobody waits any more for what the lock was asked for the sake of this trip."""
    await _time_out(session, _commands.trip_id == trip_id, _commands.purpose != LockPurpose.RELOCK)


async def _time_out(session: AsyncSession, *which: ColumnElement[bool]) -> None:
    given_up = update(_commands).where(_commands.state.in_(OPEN), *which)
    await session.execute(given_up.values(state=LockCommandState.TIMED_OUT, next_attempt_at=None))
