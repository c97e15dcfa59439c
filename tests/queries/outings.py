"""Who is on the way, and who was, for the scene of the operations."""

from __future__ import annotations

from datetime import timedelta

from app.database import SessionFactory
from domain import ids, tables
from domain.actor import Actor
from domain.tables import TripState
from domain.values import VehicleState
from tests import factories
from tests.conftest import FixedClock

#: rides, and has ridden before; has paused
LEE, MAX = "lee", "max"


async def add_outings(
    sessions: SessionFactory, clock: FixedClock, metro: tables.Metro, people: dict[str, Actor | None]
) -> dict[str, str]:
    """The ids by name."""
    now, minute = clock.now(), timedelta(minutes=1)
    async with sessions.begin() as session:
        tariff = await factories.add_tariff(session, metro, version=2, pause_per_minute_minor=5, wrong_place_fine_minor=2500)
        bikes = [
            await factories.add_vehicle(session, metro, plate=f"T-{name}", at=factories.FAR, state=VehicleState.ON_TRIP)
            for name in (LEE, MAX)
        ]
        lee, max_ = [await factories.add_rider(session, email=f"{name}@example.org") for name in (LEE, MAX)]
        for who in (lee, max_):
            await factories.add_payment_method(session, who.account_id)
        parked = await factories.add_vehicle(session, metro, plate="T-home", at=factories.FAR)
        over = await factories.add_trip(
            session,
            parked,
            tariff,
            lee.account_id,
            started_at=now - 120 * minute,
            distance_meters=3200,
            end_battery_percent=71,
        )
        await factories.add_receipt(session, metro, lee.account_id, trip_id=over.id, total_minor=480)
        ridden = await factories.add_trip(
            session, bikes[0], tariff, lee.account_id, state=TripState.IN_USE, started_at=now - 12 * minute
        )
        paused = await factories.add_trip(
            session,
            bikes[1],
            tariff,
            max_.account_id,
            state=TripState.PAUSED,
            started_at=now - 30 * minute,
            paused_at=now - 10 * minute,
            is_walk_up=True,
        )
        session.add(tables.TripPause(trip_id=paused.id, started_at=now - 10 * minute))
    people |= {LEE: lee, MAX: max_}
    return {
        "over": ids.encode(ids.TRIP, over.id),
        "ridden": ids.encode(ids.TRIP, ridden.id),
        "opsRidden": ids.encode(ids.OPS_TRIP, ridden.id),
        "paused": ids.encode(ids.TRIP, paused.id),
    }
