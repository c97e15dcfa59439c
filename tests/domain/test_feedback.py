"""A trip that is over is rated once; for a week the rider may think again."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import errors, feedback, ids, tables
from domain.actor import Actor, Role
from domain.values import VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City

WEEK = timedelta(days=7)


async def ridden(session_factory: SessionFactory, city: City, state: tables.TripState = tables.TripState.ENDED) -> tables.Trip:
    async with session_factory.begin() as session:
        bike = await factories.add_vehicle(session, city.metro)
        tariff = city.tariffs[VehicleType.BICYCLE]
        return await factories.add_trip(session, bike, tariff, city.rider.account_id, state=state)


async def give(
    session_factory: SessionFactory, who: Actor, trip_id: UUID, rating: int, comment: str | None, clock: FixedClock
) -> feedback.Feedback | None:
    async with session_factory.begin() as session:
        await feedback.give_feedback(session, who, trip_id=trip_id, rating=rating, comment=comment, now=clock.now())
        return await feedback.find_feedback(session, who, trip_id)


async def listed(session_factory: SessionFactory, who: Actor, **given: UUID) -> list[int]:
    async with session_factory() as session:
        return [row.rating for row in await feedback.list_feedback(session, who, before=None, limit=10, **given)]


async def test_feedback_may_be_changed_for_a_week_and_then_not_any_more(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    trip, first = await ridden(session_factory, city), clock.now()
    given = await give(session_factory, city.rider, trip.id, 2, " Too slow. ", clock)
    assert given is not None
    assert (given.rating, given.comment, given.given_at, given.vehicle_id) == (2, "Too slow.", first, trip.vehicle_id)
    clock.advance(days=6)
    changed = await give(session_factory, city.rider, trip.id, 5, None, clock)
    assert changed is not None
    assert (changed.id, changed.rating, changed.comment, changed.given_at) == (given.id, 5, None, first)
    clock.advance(days=1)
    assert await give(session_factory, city.rider, trip.id, 5, " ", clock) == changed, "the same again changes nothing"
    with pytest.raises(errors.TripClosed, match="7 days"):
        await give(session_factory, city.rider, trip.id, 1, None, clock)
    assert await listed(session_factory, city.rider) == [5]


@pytest.mark.parametrize("state", [tables.TripState.IN_USE])
async def test_a_trip_that_is_not_over_is_not_rated(
    session_factory: SessionFactory, city: City, clock: FixedClock, state: tables.TripState
) -> None:
    trip = await ridden(session_factory, city, state)
    with pytest.raises(errors.TripClosed, match="not over yet"):
        await give(session_factory, city.rider, trip.id, 5, None, clock)


async def test_nobody_rates_the_trip_of_somebody_else(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    trip = await ridden(session_factory, city)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    for wanted in (trip.id, ids.new()):
        with pytest.raises(errors.NotFound):
            await give(session_factory, other, wanted, 1, None, clock)
    await give(session_factory, city.rider, trip.id, 4, None, clock)
    async with session_factory() as session:
        assert await feedback.find_feedback(session, other, trip.id) is None
    assert await listed(session_factory, other) == []


@pytest.mark.parametrize(
    ("rating", "comment", "path"),
    [(0, None, "rating"), (6, None, "rating"), (3, "x" * 1001, "comment"), (3, "a\0b", "comment"), (3, "\ud800", "comment")],
)
async def test_a_rating_lies_between_one_and_five_and_a_comment_is_short(
    session_factory: SessionFactory, city: City, clock: FixedClock, rating: int, comment: str | None, path: str
) -> None:
    trip = await ridden(session_factory, city)
    with pytest.raises(errors.InvalidInput) as refusal:
        await give(session_factory, city.rider, trip.id, rating, comment, clock)
    assert [issue.path for issue in refusal.value.issues] == [path]


async def test_staff_see_what_was_said_of_a_vehicle_in_their_metros(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    first, second = await ridden(session_factory, city), await ridden(session_factory, city)
    await give(session_factory, city.rider, first.id, 1, None, clock)
    await give(session_factory, city.rider, second.id, 2, None, clock)
    async with session_factory.begin() as session:
        stranger = await factories.add_member(session, Role.DISPATCHER, await factories.add_metro(session))
    assert await listed(session_factory, city.dispatcher) == [2, 1]
    assert await listed(session_factory, city.dispatcher, vehicle_id=first.vehicle_id) == [1]
    assert await listed(session_factory, city.dispatcher, trip_id=second.id) == [2]
    assert await listed(session_factory, stranger) == []
