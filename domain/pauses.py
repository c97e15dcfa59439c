"""Pauses: a ride stands still, locked, at another price."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, lock_commands, tables, trip_announcements, trip_ends, trips
from domain.actor import Actor
from domain.tables import TripState, TripStep
from domain.values import VehicleState


async def pause_trip(session: AsyncSession, who: Actor, *, trip_id: UUID, now: datetime) -> None:
    """Asks the lock to close; the pause begins with its answer. Raises NotFound, TripClosed, VehicleBusy."""
    await _ask(session, who, trip_id, TripState.IN_USE, TripStep.PAUSE, now)


async def resume_trip(session: AsyncSession, who: Actor, *, trip_id: UUID, now: datetime) -> None:
    """Asks the lock to open; the pause ends with its answer. Raises NotFound, TripClosed, VehicleBusy."""
    await _ask(session, who, trip_id, TripState.PAUSED, TripStep.RESUME, now)


async def _ask(session: AsyncSession, who: Actor, trip_id: UUID, needed: TripState, step: TripStep, now: datetime) -> None:
    row = await trips.lock_trip(session, who, trip_id)
    trips.must_be_idle(row)
    if row.state is not needed:
        raise errors.TripClosed(f"The trip is {row.state}: only one that is {needed} can {step}.", path="tripId")
    await lock_commands.ask(session, row, step, now=now)
    await trip_announcements.announce(session, row)


async def paused(session: AsyncSession, row: tables.Trip, vehicle: tables.Vehicle, *, now: datetime) -> None:
    """The lock has closed."""
    row.state, row.paused_at = TripState.PAUSED, now
    row.awaits = row.awaits_until = None
    session.add(tables.TripPause(trip_id=row.id, started_at=now))
    if not row.vehicle_type.is_micromobility:
        await trip_ends.set_vehicle(session, vehicle, VehicleState.STOPPED, now=now)
    await trip_announcements.announce(session, row)


async def resumed(session: AsyncSession, row: tables.Trip, vehicle: tables.Vehicle, *, now: datetime) -> None:
    """The lock has opened."""
    row.state, row.paused_at = TripState.IN_USE, None
    row.awaits = row.awaits_until = None
    rows = tables.TripPause
    open_one = select(rows).where(rows.trip_id == row.id, rows.ended_at.is_(None))
    pause = (await session.execute(open_one)).scalar_one()
    pause.ended_at = max(now, pause.started_at)
    await trip_ends.set_vehicle(session, vehicle, VehicleState.ON_TRIP, now=now)
    await trip_announcements.announce(session, row)


async def stay(session: AsyncSession, row: tables.Trip) -> None:
    """The lock said no, or nothing: everything is as it was before it was asked."""
    row.awaits = row.awaits_until = None
    await session.flush()
    await lock_commands.withdraw(session, row.id)
    await trip_announcements.announce(session, row)
