"""Searches for a later window: the calendar decides, by the rules of booking."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from domain import errors, ids, reservations, tables
from domain.fleet import VehicleRef
from domain.values import VehicleState, VehicleType
from resolvers import fleet
from tests import factories
from tests.conftest import FixedClock
from tests.resolvers.test_fleet import AROUND, Scene, scene

__all__ = ["scene"]
HOUR = timedelta(hours=1)


async def plates(scene: Scene, starts_at: datetime, ends_at: datetime, **wanted: Any) -> list[str]:
    page = await fleet.search_vehicles(
        scene.ctx,
        metro_id=scene.metro_id,
        area=AROUND,
        wanted=fleet.Wanted(**wanted),
        span=fleet.Span(starts_at, ends_at),
        first=10,
        after=None,
    )
    return sorted(vehicle.plate for vehicle in page.items)


async def add_cars(scene: Scene, *cars: tuple[str, VehicleState]) -> dict[str, tables.Vehicle]:
    async with scene.sessions.begin() as session:
        metro = await session.get_one(tables.Metro, ids.decode(scene.metro_id, ids.METRO))
        for kind in (VehicleType.CAR, VehicleType.VAN):
            await factories.add_tariff(session, metro, kind)
        return {
            plate: await factories.add_vehicle(session, metro, VehicleType.CAR, plate=plate, state=state) for plate, state in cars
        }


async def test_what_is_free_for_the_whole_window_is_found_also_when_it_is_somebodys_until_then(
    scene: Scene, clock: FixedClock
) -> None:
    now = clock.now()
    cars = await add_cars(scene, ("free", VehicleState.AVAILABLE), ("booked", VehicleState.AVAILABLE))
    async with scene.sessions.begin() as session:
        rider = await factories.add_rider(session)
        for plate, start in (("booked", now + 30 * HOUR), ("free", now)):
            await reservations.reserve_vehicle(
                session,
                rider,
                customer_id=rider.account_id,
                vehicle=VehicleRef(cars[plate].id, published=False),
                starts_at=start,
                ends_at=start + 2 * HOUR,
                now=now,
            )
        state = await session.scalar(select(tables.Vehicle.state).where(tables.Vehicle.plate == "free"))
    assert state is VehicleState.RESERVED
    assert await plates(scene, now + 24 * HOUR, now + 30 * HOUR) == ["booked", "free"]
    assert await plates(scene, now + 24 * HOUR, now + 30 * HOUR + timedelta(seconds=1)) == ["free"]
    assert await plates(scene, now + 32 * HOUR, now + 33 * HOUR) == ["booked", "free"]
    assert await plates(scene, now + HOUR, now + 3 * HOUR) == ["booked"]


async def test_what_is_out_of_service_or_being_driven_is_not_shown(scene: Scene, clock: FixedClock) -> None:
    await add_cars(
        scene,
        ("stands", VehicleState.AVAILABLE),
        ("broken", VehicleState.NON_OPERATIONAL),
        ("away", VehicleState.ON_TRIP),
        ("waits", VehicleState.STOPPED),
    )
    assert await plates(scene, clock.now() + 24 * HOUR, clock.now() + 30 * HOUR) == ["stands"]


@pytest.mark.parametrize(
    ("start", "end", "path"),
    [
        (-HOUR, HOUR, "window.startsAt"),
        (7 * 24 * HOUR + timedelta(seconds=1), 7 * 24 * HOUR + HOUR, "window.startsAt"),
        (HOUR, HOUR, "window.endsAt"),
        (HOUR, HOUR + timedelta(minutes=14), "window.endsAt"),
        (HOUR, 8 * 24 * HOUR, "window.endsAt"),
    ],
)
async def test_a_window_that_cannot_be_booked_is_refused_as_booking_it_is(
    scene: Scene, clock: FixedClock, start: timedelta, end: timedelta, path: str
) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await plates(scene, clock.now() + start, clock.now() + end)
    assert [issue.path for issue in refusal.value.issues] == [path]


async def test_scooters_and_bikes_are_not_looked_for_ahead(scene: Scene, clock: FixedClock) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await plates(scene, clock.now() + HOUR, clock.now() + 2 * HOUR, types=[VehicleType.CAR, VehicleType.BICYCLE])
    assert refusal.value.path == ["types"]
    assert await plates(scene, clock.now() + HOUR, clock.now() + 2 * HOUR) == []


async def test_demand_counts_for_the_hour_it_is_wanted_in(scene: Scene, clock: FixedClock) -> None:
    tomorrow = clock.now() + 24 * HOUR
    assert await plates(scene, tomorrow, tomorrow + HOUR) == []
    assert await scene.unmet() == {VehicleType.CAR: 1, VehicleType.VAN: 1}
    async with scene.sessions() as session:
        hours = set((await session.execute(select(tables.UnmetDemand.hour))).scalars())
    assert hours == {tomorrow.replace(minute=0)}


async def test_a_metro_that_is_not_there_has_nothing(scene: Scene, clock: FixedClock) -> None:
    elsewhere = Scene(scene.ctx, scene.sessions, ids.encode(ids.METRO, ids.new()))
    assert await plates(elsewhere, clock.now() + HOUR, clock.now() + 2 * HOUR) == []
