"""The track of a trip: what the phone says, without what it cannot have seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from app.database import SessionFactory
from domain import errors, tables, tracks
from domain.actor import Actor
from domain.tracks import Fix
from domain.values import LatLng
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle
from tests.domain.conftest import City

SECOND = timedelta(seconds=1)
METER = 1 / 111_195


def fix(at: datetime, meters: float, accuracy_meters: float = 5) -> Fix:
    return Fix(at, LatLng(factories.CENTER.lat + meters * METER, factories.CENTER.lon), accuracy_meters)


async def record(sessions: SessionFactory, who: Actor, trip_id: UUID, now: datetime, positions: Sequence[Fix]) -> None:
    async with sessions.begin() as session:
        await tracks.record_positions(session, who, trip_id=trip_id, positions=positions, now=now)


async def recorded(sessions: SessionFactory, trip_id: UUID) -> list[datetime]:
    rows = tables.TripPosition
    async with sessions() as session:
        return list((await session.execute(select(rows.at).where(rows.trip_id == trip_id).order_by(rows.at))).scalars())


async def test_what_is_recorded_once_or_twice_or_in_pieces_is_one_way(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    begun = await rides.ride(session_factory, city.rider, await new_vehicle(session_factory, city), now)
    way = [fix(now + index * SECOND, 10 * index) for index in range(6)]
    for piece in (way[3:], way[:4], way):
        await record(session_factory, city.rider, begun.id, now + 10 * SECOND, piece)
    assert await recorded(session_factory, begun.id) == [one.at for one in way]
    assert (await rides.read(session_factory, city.rider, begun.id)).distance_meters == 50


async def test_one_position_a_second_is_kept_however_many_are_said(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    begun = await rides.ride(session_factory, city.rider, await new_vehicle(session_factory, city), now)
    said = [fix(now + index * SECOND / 50, index / 10) for index in range(100)]
    await record(session_factory, city.rider, begun.id, now + 10 * SECOND, said)
    assert await recorded(session_factory, begun.id) == [now, now + SECOND]


async def test_a_receiver_that_jumps_is_not_followed(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    now = clock.now()
    begun = await rides.ride(session_factory, city.rider, await new_vehicle(session_factory, city), now)
    way = [fix(now, 0), fix(now + SECOND, 9_000), fix(now + 2 * SECOND, 20)]
    await record(session_factory, city.rider, begun.id, now + 3 * SECOND, way)
    assert await recorded(session_factory, begun.id) == [now, now + 2 * SECOND]


async def test_a_clock_that_is_a_little_ahead_is_taken_for_ours(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    begun = await rides.ride(session_factory, city.rider, await new_vehicle(session_factory, city), now)
    await record(session_factory, city.rider, begun.id, now, [fix(now + 59 * SECOND, 0)])
    assert await recorded(session_factory, begun.id) == [now]


@pytest.mark.parametrize(
    ("seconds", "meters", "accuracy", "path"),
    [(61, 0.0, 5.0, "at"), (-1, 0.0, 5.0, "at"), (0, 6_000_000.0, 5.0, "position"), (0, 0.0, float("nan"), "accuracyMeters")],
)
async def test_what_cannot_be_true_is_refused_by_name(
    session_factory: SessionFactory, city: City, clock: FixedClock, seconds: int, meters: float, accuracy: float, path: str
) -> None:
    now = clock.now()
    begun = await rides.ride(session_factory, city.rider, await new_vehicle(session_factory, city), now)
    given = [fix(now, 0), fix(now + seconds * SECOND, meters, accuracy)]
    with pytest.raises(errors.InvalidInput) as refusal:
        await record(session_factory, city.rider, begun.id, now, given)
    assert [issue.path for issue in refusal.value.issues] == [f"positions.1.{path}"]


async def test_only_a_ride_has_a_track_and_only_its_riders(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    bike = await new_vehicle(session_factory, city)
    asked = await rides.unlock(session_factory, city.rider, bike, now)
    with pytest.raises(errors.TripClosed, match="preparing"):
        await record(session_factory, city.rider, asked.id, now, [fix(now, 0)])
    await rides.answer(session_factory, bike, now)
    for count in (0, 101):
        with pytest.raises(errors.InvalidInput, match="1 to 100"):
            await record(session_factory, city.rider, asked.id, now, [fix(now, 0)] * count)
    async with session_factory.begin() as session:
        stranger = await factories.add_rider(session)
    with pytest.raises(errors.NotFound):
        await record(session_factory, stranger, asked.id, now, [fix(now, 0)])
