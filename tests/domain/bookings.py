"""Steps on reservations that several tests take, each in a transaction of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from app.database import SessionFactory
from domain import cancellations, eventlog, expiry, fleet, reservations, tables
from domain.actor import Actor
from domain.values import Money, VehicleState, VehicleType
from tests import factories
from tests.domain.conftest import City
from tests.log import settled_after

HOUR = timedelta(hours=1)


async def new_vehicle(
    session_factory: SessionFactory,
    city: City,
    kind: VehicleType = VehicleType.BICYCLE,
    state: VehicleState = VehicleState.AVAILABLE,
) -> UUID:
    async with session_factory.begin() as session:
        return (await factories.add_vehicle(session, city.metro, kind, state=state)).id


async def reserve(
    session_factory: SessionFactory,
    who: Actor,
    vehicle_id: UUID,
    now: datetime,
    *,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    expected_minutes: int | None = None,
    customer_id: UUID | None = None,
) -> reservations.Reservation:
    async with session_factory.begin() as session:
        reserved = await reservations.reserve_vehicle(
            session,
            who,
            customer_id=customer_id or who.account_id,
            vehicle=fleet.VehicleRef(vehicle_id, published=False),
            starts_at=starts_at or now,
            ends_at=ends_at,
            expected_minutes=expected_minutes,
            now=now,
        )
        return reserved.reservation


async def cancel(
    session_factory: SessionFactory,
    who: Actor,
    reservation_id: UUID,
    now: datetime,
    reason: str | None = None,
    accepted_fee: Money | None = None,
) -> reservations.Reservation:
    async with session_factory.begin() as session:
        await cancellations.cancel_reservation(
            session, who, reservation_id=reservation_id, reason=reason, accepted_fee=accepted_fee, now=now
        )
        return await reservations.get_reservation(session, who, reservation_id)


async def sweep(session_factory: SessionFactory, now: datetime) -> int:
    async with session_factory.begin() as session:
        return await expiry.sweep_reservations(session, now=now)


async def state_of(session_factory: SessionFactory, vehicle_id: UUID) -> VehicleState:
    async with session_factory() as session:
        return (await session.execute(select(tables.Vehicle.state).where(tables.Vehicle.id == vehicle_id))).scalar_one()


async def count(session_factory: SessionFactory) -> int:
    async with session_factory() as session:
        return (await session.execute(select(func.count()).select_from(tables.Reservation))).scalar_one()


async def kinds(session_factory: SessionFactory, city: City) -> list[str]:
    async with session_factory() as session:
        batch = await settled_after(session, eventlog.dispatch_topic(city.metro.id), eventlog.Position(1, 0, 0))
    return [event.kind for event in batch.events]


async def notified(session_factory: SessionFactory, who: Actor) -> list[tables.Notification]:
    """What the rider was told, first to last."""
    query = select(tables.Notification).where(tables.Notification.customer_id == who.account_id)
    async with session_factory() as session:
        return list((await session.execute(query.order_by(tables.Notification.id))).scalars())


async def told(session_factory: SessionFactory, who: Actor) -> list[eventlog.Event]:
    async with session_factory() as session:
        events = (await settled_after(session, eventlog.rider_topic(who.account_id), eventlog.Position(1, 0, 0))).events
    return [event for event in events if event.kind.startswith("reservation.")]
