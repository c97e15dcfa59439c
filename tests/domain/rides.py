"""Steps of trips that several tests take, each in a transaction of its own; the lock is whoever calls `answer`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.database import SessionFactory
from domain import (
    errors,
    eventlog,
    fleet,
    ids,
    locks,
    pauses,
    payment_methods,
    ports,
    returns,
    tables,
    trip_sweeps,
    trips,
    unlocks,
)
from domain.actor import Actor
from domain.tables import LockPurpose
from domain.values import LatLng, Money, VehicleType
from tests import factories
from tests.log import settled_after

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


async def unlock(
    sessions: SessionFactory,
    who: Actor,
    vehicle_id: UUID | None,
    now: datetime,
    *,
    position: LatLng | None = factories.CENTER,
    trip_id: UUID | None = None,
    has_card: bool = True,
    **given: Any,
) -> trips.Trip:
    if has_card:
        await give_card(sessions, who)
    async with sessions.begin() as session:
        vehicle = None if vehicle_id is None else fleet.VehicleRef(vehicle_id, published=False)
        return await unlocks.unlock_vehicle(
            session, who, vehicle=vehicle, position=position, trip_id=trip_id or ids.new(), now=now, **given
        )


async def give_card(sessions: SessionFactory, who: Actor) -> None:
    """One that pays, unless there is one."""
    async with sessions.begin() as session:
        if await payment_methods.find_default(session, who.account_id) is None:
            await factories.add_payment_method(session, who.account_id)


async def photo(sessions: SessionFactory, who: Actor, now: datetime, **given: Any) -> UUID:
    """Of a vehicle that is left, uploaded."""
    async with sessions.begin() as session:
        columns = {"taken_at": now, "requested_at": now, "stored_at": now} | given
        return (await factories.add_photo(session, who.account_id, **columns)).id


async def give_back(
    sessions: SessionFactory,
    who: Actor,
    trip_id: UUID,
    now: datetime,
    *,
    at: LatLng = factories.CENTER,
    accuracy_meters: float = 10,
    photo_id: UUID | None = None,
    has_photo: bool = True,
    accepted_fine: Money | None = None,
) -> errors.ReturnRefused | None:
    """With a photo taken there and then, unless another is named. The lock has not answered yet."""
    if photo_id is None and has_photo:
        photo_id = await photo(sessions, who, now, taken_lat=at.lat, taken_lon=at.lon)
    async with sessions.begin() as session:
        return await returns.return_vehicle(
            session,
            who,
            trip_id=trip_id,
            position=at,
            accuracy_meters=accuracy_meters,
            photo_id=photo_id,
            accepted_fine=accepted_fine,
            now=now,
        )


async def attempts(sessions: SessionFactory, trip_id: UUID) -> list[list[str]]:
    """What spoke against each try to return, first to last."""
    rows = tables.ReturnAttempt
    async with sessions() as session:
        query = select(rows.refusals).where(rows.trip_id == trip_id).order_by(rows.at, rows.id)
        return list((await session.execute(query)).scalars())


async def receipt_of(sessions: SessionFactory, trip_id: UUID) -> tables.Receipt:
    async with sessions() as session:
        return (await session.execute(select(tables.Receipt).where(tables.Receipt.trip_id == trip_id))).scalar_one()


async def payments_of(sessions: SessionFactory, who: Actor) -> list[tables.Payment]:
    rows = tables.Payment
    async with sessions() as session:
        return list((await session.execute(select(rows).where(rows.customer_id == who.account_id).order_by(rows.id))).scalars())


async def commands(sessions: SessionFactory, vehicle_id: UUID) -> list[tables.LockCommand]:
    """First to last."""
    rows = tables.LockCommand
    async with sessions() as session:
        query = select(rows).where(rows.vehicle_id == vehicle_id).order_by(rows.requested_at, rows.id)
        return list((await session.execute(query)).scalars())


async def asked(sessions: SessionFactory, vehicle_id: UUID) -> list[tuple[str, str]]:
    """What was said to a lock, and what became of it."""
    return [(command.purpose.value, command.state.value) for command in await commands(sessions, vehicle_id)]


async def answer(
    sessions: SessionFactory,
    vehicle_id: UUID,
    now: datetime,
    *,
    is_done: bool = True,
    purpose: LockPurpose | None = None,
    **said: Any,
) -> None:
    """To the last command, or the last of a purpose."""
    given = [one for one in await commands(sessions, vehicle_id) if purpose in (None, one.purpose)]
    failure = None if is_done else "jammed"
    async with sessions.begin() as session:
        word = ports.LockAnswer(given[-1].id, vehicle_id, is_done, failure, **said)
        await locks.record_answer(session, word, now=now)


async def ride(
    sessions: SessionFactory, who: Actor, vehicle_id: UUID, now: datetime, *, ends_at: datetime | None = None, **said: Any
) -> trips.Trip:
    """Unlocked at once."""
    begun = await unlock(sessions, who, vehicle_id, now, ends_at=ends_at)
    await answer(sessions, vehicle_id, now, **said)
    return await read(sessions, who, begun.id)


async def pause(sessions: SessionFactory, who: Actor, trip_id: UUID, now: datetime) -> None:
    async with sessions.begin() as session:
        await pauses.pause_trip(session, who, trip_id=trip_id, now=now)


async def resume(sessions: SessionFactory, who: Actor, trip_id: UUID, now: datetime) -> None:
    async with sessions.begin() as session:
        await pauses.resume_trip(session, who, trip_id=trip_id, now=now)


async def read(sessions: SessionFactory, who: Actor, trip_id: UUID) -> trips.Trip:
    async with sessions() as session:
        return await trips.get_trip(session, who, trip_id)


async def sweep(sessions: SessionFactory, now: datetime) -> None:
    """As the worker does."""
    async with sessions() as session:
        waiting = await trip_sweeps.list_waiting_too_long(session, now=now)
        silent = await locks.list_silent(session, now=now)
    for trip_id in waiting:
        async with sessions.begin() as session:
            await trip_sweeps.settle(session, trip_id, now=now)
    for command_id in silent:
        async with sessions.begin() as session:
            await locks.give_up(session, command_id, now=now)


async def told(sessions: SessionFactory, topic: str) -> list[dict[str, Any]]:
    """What a topic says of trips, first to last."""
    async with sessions() as session:
        events = (await settled_after(session, topic, eventlog.Position(1, 0, 0))).events
    return [event.payload for event in events if event.kind == "trip.changed"]


async def vehicle_row(sessions: SessionFactory, vehicle_id: UUID) -> tables.Vehicle:
    async with sessions() as session:
        return (await session.execute(select(tables.Vehicle).where(tables.Vehicle.id == vehicle_id))).scalar_one()


async def reservation_row(sessions: SessionFactory, reservation_id: UUID) -> tables.Reservation:
    async with sessions() as session:
        return (await session.execute(select(tables.Reservation).where(tables.Reservation.id == reservation_id))).scalar_one()


def until(vehicle_type: VehicleType, now: datetime) -> datetime | None:
    """The end that a walk-up of that type names."""
    return None if vehicle_type.is_micromobility else now + 2 * HOUR
