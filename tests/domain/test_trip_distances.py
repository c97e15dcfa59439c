"""A way is as long as the positions of the track say, and no longer by those that are vague."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.database import SessionFactory
from domain import tables, trip_distances
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("vague", "meters"), [(101.0, 222), (100.0, 667)])
async def test_what_is_vague_adds_nothing(
    session_factory: SessionFactory, city: City, clock: FixedClock, vague: float, meters: int
) -> None:
    way = [(0.0, 5.0), (0.001, 5.0), (0.004, vague), (0.002, 5.0)]
    async with session_factory.begin() as session:
        vehicle = await factories.add_vehicle(session, city.metro)
        trip = await factories.add_trip(session, vehicle, city.tariffs[vehicle.vehicle_type], city.rider.account_id)
        for index, (north, accuracy) in enumerate(way):
            at = clock.now() + index * SECOND
            session.add(
                tables.TripPosition(
                    trip_id=trip.id,
                    at=at,
                    received_at=at,
                    lat=factories.CENTER.lat + north,
                    lon=factories.CENTER.lon,
                    accuracy_meters=accuracy,
                )
            )
        await session.flush()
        assert await trip_distances.measure(session, trip.id) == meters
