"""Recording where a trip has gone: an instant once, by its rider alone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.database import SessionFactory
from domain import errors, ids
from domain.tracks import Fix
from domain.values import LatLng
from resolvers import tracks
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.resolvers.front import asking, runtime_of


async def test_positions_that_come_twice_count_once_and_nobody_elses_do_at_all(
    session_factory: SessionFactory, clock: FixedClock
) -> None:
    runtime = runtime_of(session_factory, clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
        await factories.add_tariff(session, metro)
        bike = await factories.add_vehicle(session, metro)
        rider, other = await factories.add_rider(session), await factories.add_rider(session)
        await factories.add_payment_method(session, rider.account_id)
    begun = clock.now()
    trip_id = ids.encode(ids.TRIP, (await rides.ride(session_factory, rider, bike.id, begun)).id)
    clock.advance(minutes=5)
    here = factories.CENTER
    way = [Fix(begun + timedelta(minutes=n), LatLng(here.lat + n / 1000, here.lon), 5.0) for n in range(1, 5)]
    first, _ = await tracks.record_trip_positions(asking(runtime, rider), trip_id=trip_id, positions=way)
    assert 300 < first.distance_meters < 500
    again, _ = await tracks.record_trip_positions(asking(runtime, rider), trip_id=trip_id, positions=way[::-1])
    assert again == first
    with pytest.raises(errors.NotFound):
        await tracks.record_trip_positions(asking(runtime, other), trip_id=trip_id, positions=way)
    with pytest.raises(errors.InvalidInput):
        await tracks.record_trip_positions(asking(runtime, rider), trip_id=trip_id, positions=[])
