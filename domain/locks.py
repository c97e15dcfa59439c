"""Locks: sending what they are asked, and what follows from their answers, early, late, twice or never."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import h3
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import lock_commands, pauses, returns, tables, telemetry, trip_ends, trips, unlocks
from domain.lock_commands import OPEN
from domain.ports import LockAnswer, LockOrder
from domain.tables import LockAction, LockCommandState, LockPurpose, TripEnd, TripState
from domain.tables.geography import H3_RESOLUTION
from domain.values import VehicleState

#: how long an answer is waited for before the same is sent again: as long as a rider waits, and later
SEND_AGAIN, SEND_LATER = timedelta(seconds=3), timedelta(seconds=30)
_SOON = 10

order = lock_commands.order
_commands = tables.LockCommand
#: in which state a trip must still be for an answer that came after its time to count
_LATE = {LockPurpose.PAUSE: TripState.IN_USE, LockPurpose.RESUME: TripState.PAUSED}
_IDLE = (VehicleState.AVAILABLE, VehicleState.RESERVED)


async def claim_commands(session: AsyncSession, *, now: datetime, limit: int, only: UUID | None = None) -> list[LockOrder]:
    """What is to be said to locks now, to be sent after the commit. It is due again when nobody has answered."""
    due = select(_commands).where(_commands.state.in_(OPEN), _commands.next_attempt_at <= now, _commands.expires_at > now)
    if only is not None:
        due = due.where(_commands.id == only)
    locked = due.order_by(_commands.next_attempt_at, _commands.id).limit(limit).with_for_update(skip_locked=True)
    orders = []
    for command in (await session.execute(locked)).scalars():
        command.state = LockCommandState.SENT
        command.attempts += 1
        command.next_attempt_at = now + (SEND_AGAIN if command.attempts < _SOON else SEND_LATER)
        orders.append(LockOrder(command.id, command.vehicle_id, command.action, command.expires_at))
    await session.flush()
    return orders


async def record_answer(session: AsyncSession, answer: LockAnswer, *, now: datetime) -> None:
    """Heard twice it counts once, of a command that is not known never. Which of answer and time-out comes first, the row of the
    trip decides."""
    named = select(_commands.trip_id).where(_commands.id == answer.command_id, _commands.vehicle_id == answer.vehicle_id)
    known = (await session.execute(named)).one_or_none()
    if known is None:
        return
    row = None if known.trip_id is None else await trips.lock_row(session, known.trip_id)
    if row is not None:
        await trip_ends.lock_reservation(session, row)
    vehicle = await trip_ends.lock_vehicle(session, answer.vehicle_id)
    found = select(_commands).where(_commands.id == answer.command_id)
    command = (await session.execute(found.with_for_update().execution_options(populate_existing=True))).scalar_one()
    if command.state in (LockCommandState.SUCCEEDED, LockCommandState.FAILED):
        return
    was_open = command.state in OPEN
    command.state = LockCommandState.SUCCEEDED if answer.is_done else LockCommandState.FAILED
    command.answered_at, command.next_attempt_at, command.failure = now, None, answer.failure
    if was_open:
        # What comes late may be as old as the order: of that, what the vehicle tells of itself meanwhile is newer.
        _note(vehicle, answer, now)
    await session.flush()
    if command.purpose is LockPurpose.RELOCK:
        await _relocked(session, vehicle, answer.is_done, now)
    elif row is not None and await _counts(session, row, command, was_open=was_open, is_done=answer.is_done):
        await _follow(session, row, vehicle, command.purpose, answer, now)
    elif answer.is_done and command.action is LockAction.UNLOCK and _is_for_nobody(row):
        await lock_commands.relock(session, vehicle_id=vehicle.id, trip_id=command.trip_id, now=now)


async def _counts(session: AsyncSession, row: tables.Trip, command: tables.LockCommand, *, was_open: bool, is_done: bool) -> bool:
    if was_open:
        return row.awaits == command.purpose.value
    if not is_done or row.awaits is not None or _LATE.get(command.purpose) is not row.state:
        return False
    # A lock that closed or opened after all has begun or ended a pause, as long as nothing else was asked of it since.
    newer = select(_commands.id).where(_commands.vehicle_id == command.vehicle_id, _commands.requested_at > command.requested_at)
    return (await session.execute(newer.limit(1))).scalar_one_or_none() is None


def _is_for_nobody(row: tables.Trip | None) -> bool:
    """Somebody may still be in a vehicle in which help was called for."""
    return row is None or (row.state not in tables.OPEN_TRIP and row.end_cause is not TripEnd.EMERGENCY)


def _note(vehicle: tables.Vehicle, answer: LockAnswer, now: datetime) -> None:
    """What the vehicle knows of itself."""
    vehicle.updated_at = now
    if answer.battery_percent is not None and 0 <= answer.battery_percent <= 100:
        vehicle.battery_percent = answer.battery_percent
        vehicle.current_range_meters = telemetry.range_meters(vehicle.vehicle_type, answer.battery_percent)
    if answer.odometer_meters is not None and answer.odometer_meters > vehicle.odometer_meters:
        vehicle.odometer_meters = answer.odometer_meters
    if answer.is_plugged_in is not None:
        vehicle.is_plugged_in, vehicle.plugged_in_at = answer.is_plugged_in, now
    if answer.position is not None:
        vehicle.lat, vehicle.lon, vehicle.position_at = answer.position.lat, answer.position.lon, now
        vehicle.h3_cell = h3.str_to_int(h3.latlng_to_cell(vehicle.lat, vehicle.lon, H3_RESOLUTION))


async def _follow(
    session: AsyncSession,
    row: tables.Trip,
    vehicle: tables.Vehicle,
    purpose: LockPurpose,
    answer: LockAnswer,
    now: datetime,
) -> None:
    if purpose is LockPurpose.UNLOCK:
        if answer.is_done:
            await unlocks.opened(session, row, vehicle, now=now)
        else:
            await unlocks.not_opened(session, row, now=now)
            # It was not to be closed any more, because it was to be opened: what it was before, nobody knows.
            if await lock_commands.was_being_closed(session, vehicle.id, row.requested_at):
                await lock_commands.relock(session, vehicle_id=vehicle.id, trip_id=row.id, now=now)
    elif purpose is LockPurpose.RETURN:
        if answer.is_done:
            await returns.locked(session, row, vehicle, answer, now=now)
        else:
            await returns.not_locked(session, row)
    elif not answer.is_done:
        await pauses.stay(session, row)
    elif purpose is LockPurpose.PAUSE:
        await pauses.paused(session, row, vehicle, now=now)
    else:
        await pauses.resumed(session, row, vehicle, now=now)


async def _relocked(session: AsyncSession, vehicle: tables.Vehicle, is_done: bool, now: datetime) -> None:
    """One that cannot close is looked at before it is offered again. One that was out of reach and has closed is offered."""
    if is_done and vehicle.state is VehicleState.NON_CONTACTABLE:
        await trip_ends.set_vehicle(session, vehicle, await trip_ends.state_for_next(session, vehicle, now), now=now)
    elif not is_done and vehicle.state in _IDLE and not await lock_commands.has_open_trip(session, vehicle.id):
        await trip_ends.set_vehicle(session, vehicle, VehicleState.NON_OPERATIONAL, now=now)


async def list_silent(session: AsyncSession, *, now: datetime, limit: int = 100) -> Sequence[UUID]:
    """Commands that no trip waits for, and that nobody answered in time."""
    waited_for = select(tables.Trip.id).where(tables.Trip.id == _commands.trip_id, tables.Trip.awaits.is_not(None)).exists()
    silent = select(_commands.id).where(_commands.state.in_(OPEN), _commands.expires_at <= now, ~waited_for)
    return (await session.execute(silent.order_by(_commands.id).limit(limit))).scalars().all()


async def give_up(session: AsyncSession, command_id: UUID, *, now: datetime) -> None:
    """A vehicle that did not even close is out of reach."""
    vehicle_id = (await session.execute(select(_commands.vehicle_id).where(_commands.id == command_id))).scalar_one_or_none()
    if vehicle_id is None:
        return
    vehicle = await trip_ends.lock_vehicle(session, vehicle_id)
    found = select(_commands).where(_commands.id == command_id, _commands.state.in_(OPEN), _commands.expires_at <= now)
    locked = found.with_for_update().execution_options(populate_existing=True)
    command = (await session.execute(locked)).scalar_one_or_none()
    if command is None:
        return
    command.state, command.next_attempt_at = LockCommandState.TIMED_OUT, None
    await session.flush()
    is_idle = vehicle.state in _IDLE and not await lock_commands.has_open_trip(session, vehicle.id)
    if command.purpose is LockPurpose.RELOCK and is_idle:
        await trip_ends.set_vehicle(session, vehicle, VehicleState.NON_CONTACTABLE, now=now)
