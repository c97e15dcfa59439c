"""Returning vehicles: what is refused is noted and may be tried again with the same key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.database import SessionFactory
from domain import errors, ids, tables
from domain.tables import ReturnRefusal, TripState, TripStep
from domain.values import LatLng
from resolvers import returns, trips
from resolvers.context import Ctx
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.resolvers.front import asking, runtime_of

HERE = factories.CENTER


@dataclass
class Scene:
    rider: Ctx
    other: Ctx
    bike: UUID
    trip_id: str
    photo: str
    sessions: SessionFactory

    async def give_back(self, who: Ctx | None = None, **given: Any) -> trips.Outcome:
        asked: dict[str, Any] = {
            "trip_id": self.trip_id,
            "position": HERE,
            "accuracy_meters": 10.0,
            "photo_id": self.photo,
            "accepted_fine": None,
            "idempotency_key": "return",
        }
        return await returns.return_vehicle(who or self.rider, **{**asked, **given})

    async def attempts(self) -> list[list[str]]:
        rows = tables.ReturnAttempt
        async with self.sessions() as session:
            return [row.refusals for row in (await session.execute(select(rows).order_by(rows.id))).scalars()]

    async def keys(self) -> list[str]:
        rows = tables.IdempotencyKey
        async with self.sessions() as session:
            return list((await session.execute(select(rows.key).where(rows.mutation == "return_vehicle"))).scalars())


@pytest.fixture
async def scene(session_factory: SessionFactory, clock: FixedClock) -> Scene:
    runtime = runtime_of(session_factory, clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
        await factories.add_tariff(session, metro)
        bike = await factories.add_vehicle(session, metro)
        rider, other = await factories.add_rider(session), await factories.add_rider(session)
        await factories.add_payment_method(session, rider.account_id)
    ridden = await rides.ride(session_factory, rider, bike.id, clock.now())
    clock.advance(minutes=10)
    async with session_factory.begin() as session:
        photo = await factories.add_photo(session, rider.account_id, stored_at=clock.now(), taken_at=clock.now())
    contexts = {"rider": asking(runtime, rider), "other": asking(runtime, other)}
    trip_id, photo_id = ids.encode(ids.TRIP, ridden.id), ids.encode(ids.PHOTO, photo.id)
    return Scene(**contexts, bike=bike.id, trip_id=trip_id, photo=photo_id, sessions=session_factory)


async def test_a_refused_try_is_written_down_and_leaves_no_key(scene: Scene) -> None:
    with pytest.raises(errors.ReturnRefused) as refusal:
        await scene.give_back(photo_id=None)
    assert list(refusal.value.refusals) == [ReturnRefusal.PHOTO_MISSING]
    assert await scene.attempts() == [["photo_missing"]]
    assert await scene.keys() == []


async def test_the_same_key_tries_again_after_a_refusal_and_counts_once_it_has_passed(scene: Scene) -> None:
    for _ in range(2):
        with pytest.raises(errors.ReturnRefused):
            await scene.give_back(photo_id=None)
    passed, _ = await scene.give_back()
    assert passed.awaits is TripStep.RETURN
    assert await scene.attempts() == [["photo_missing"], ["photo_missing"], []]
    assert (await scene.give_back())[0] == passed
    with pytest.raises(errors.IdempotencyConflict):
        await scene.give_back(position=LatLng(HERE.lat + 0.0001, HERE.lon))
    assert len(await scene.attempts()) == 3
    with pytest.raises(errors.VehicleBusy):
        await scene.give_back(idempotency_key="impatient")
    await rides.answer(scene.sessions, scene.bike, scene.rider.runtime.clock.now())
    over, _ = await scene.give_back()
    assert over.state is TripState.ENDED, "as it is by now"
    assert over.total is not None
    with pytest.raises(errors.TripClosed):
        await scene.give_back(idempotency_key="once more")


async def test_nobody_returns_what_somebody_else_rides(scene: Scene) -> None:
    with pytest.raises(errors.NotFound) as refusal:
        await scene.give_back(scene.other)
    assert refusal.value.path == ["tripId"]
    assert await scene.attempts() == []


async def test_a_photo_of_somebody_else_proves_nothing(scene: Scene) -> None:
    async with scene.sessions.begin() as session:
        foreign = await factories.add_photo(session, scene.other.who.account_id)
    with pytest.raises((errors.NotFound, errors.ReturnRefused)):
        await scene.give_back(photo_id=ids.encode(ids.PHOTO, foreign.id))
    found = await trips.find_open_trip(scene.rider)
    assert found is not None
    assert found[0].awaits is None


async def test_an_id_that_is_no_photo_is_refused_by_its_field(scene: Scene) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await scene.give_back(photo_id=scene.trip_id)
    assert refusal.value.issues[0].path == "photoId"
