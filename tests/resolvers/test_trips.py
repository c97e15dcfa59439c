"""What riders and staff do with trips, once a key, and what each refusal says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import errors, eventlog, fleet, ids, tables
from domain.tables import TripEnd, TripState, TripStep
from domain.values import LatLng, VehicleState, VehicleType
from resolvers import trips
from resolvers.context import Ctx
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.log import settled, settled_after
from tests.resolvers.front import asking, runtime_of

HERE = factories.CENTER


@dataclass
class Scene:
    rider: Ctx
    other: Ctx
    staff: Ctx
    #: works in another metro
    stranger: Ctx
    metro: tables.Metro
    bikes: list[tables.Vehicle]
    sessions: SessionFactory

    @property
    def now(self) -> datetime:
        return self.rider.runtime.clock.now()

    async def unlock(self, who: Ctx, bike: int = 0, key: str = "unlock", **given: Any) -> trips.Outcome:
        asked: dict[str, Any] = {
            "vehicle_id": ids.encode(ids.VEHICLE, self.bikes[bike].published_id),
            "position": HERE,
            "nfc_token": None,
            "reservation_id": None,
            "ends_at": None,
        }
        return await trips.unlock_vehicle(who, idempotency_key=key, **{**asked, **given})

    async def ride(self, who: Ctx, bike: int = 0) -> str:
        begun, _ = await self.unlock(who, bike, key=str(ids.new()))
        await rides.answer(self.sessions, self.bikes[bike].id, self.now)
        await self.settle()
        return ids.encode(ids.TRIP, begun.id)

    async def settle(self) -> None:
        async with self.sessions() as session:
            await settled(session)

    async def told(self, topic: str, after: eventlog.Position) -> list[str]:
        async with self.sessions() as session:
            events = (await settled_after(session, topic, after)).events
        return [event.payload["state"] for event in events if event.kind == "trip.changed"]


@pytest.fixture
async def scene(session_factory: SessionFactory, clock: FixedClock) -> Scene:
    runtime = runtime_of(session_factory, clock)
    async with session_factory.begin() as session:
        metro, elsewhere = await factories.add_metro(session), await factories.add_metro(session)
        await factories.add_tariff(session, metro)
        await factories.add_tariff(session, metro, VehicleType.CAR)
        bikes = [await factories.add_vehicle(session, metro) for _ in range(2)]
        rider, other = await factories.add_rider(session), await factories.add_rider(session)
        for who in (rider, other):
            await factories.add_payment_method(session, who.account_id)
        staff = await factories.add_member(session)
        stranger = await factories.add_member(session, staff.role, elsewhere)
    contexts = {"rider": rider, "other": other, "staff": staff, "stranger": stranger}
    return Scene(
        **{name: asking(runtime, who) for name, who in contexts.items()}, metro=metro, bikes=bikes, sessions=session_factory
    )


async def test_a_key_unlocks_once_and_another_input_under_it_nothing(scene: Scene) -> None:
    first, position = await scene.unlock(scene.rider)
    assert (first.state, first.awaits) == (TripState.PREPARING, TripStep.UNLOCK)
    assert (await scene.unlock(scene.rider))[0] == first
    with pytest.raises(errors.IdempotencyConflict):
        await scene.unlock(scene.rider, 1)
    assert await scene.told(eventlog.rider_topic(scene.rider.who.account_id), position) == [TripState.PREPARING]
    await rides.answer(scene.sessions, scene.bikes[0].id, scene.now)
    assert (await scene.unlock(scene.rider))[0].state is TripState.IN_USE, "as it is by now"


async def test_ten_who_send_the_same_key_at_once_begin_one_trip(scene: Scene) -> None:
    found = await asyncio.gather(*(scene.unlock(scene.rider) for _ in range(10)))
    assert len({trip.id for trip, _ in found}) == 1
    assert [one[0] for one in await rides.asked(scene.sessions, scene.bikes[0].id)] == ["unlock"]


async def test_a_refusal_leaves_no_key(scene: Scene) -> None:
    with pytest.raises(errors.InvalidInput):
        await scene.unlock(scene.rider, position=LatLng(HERE.lat + 0.01, HERE.lon))
    assert (await scene.unlock(scene.rider))[0].state is TripState.PREPARING


async def test_a_rider_on_a_trip_and_a_vehicle_on_a_trip_begin_no_other(scene: Scene) -> None:
    begun, _ = await scene.unlock(scene.rider)
    with pytest.raises(errors.TripOpen) as ridden:
        await scene.unlock(scene.rider, 1, key="another")
    assert ridden.value.trip_id == begun.id
    with pytest.raises(errors.VehicleUnavailable) as taken:
        await scene.unlock(scene.other)
    assert [one.id for one in taken.value.alternatives] == [scene.bikes[1].id]


async def test_pausing_and_going_on_happen_once_a_key(scene: Scene) -> None:
    ridden = await scene.ride(scene.rider)
    for act, state, wrong in (
        (trips.pause_trip, TripState.PAUSED, trips.resume_trip),
        (trips.resume_trip, TripState.IN_USE, trips.pause_trip),
    ):
        asked, position = await act(scene.rider, trip_id=ridden, idempotency_key="act")
        assert asked.awaits is not None
        assert (await act(scene.rider, trip_id=ridden, idempotency_key="act"))[0] == asked
        with pytest.raises(errors.VehicleBusy):
            await wrong(scene.rider, trip_id=ridden, idempotency_key="meanwhile")
        await rides.answer(scene.sessions, scene.bikes[0].id, scene.now)
        found = await trips.find_open_trip(scene.rider)
        assert found is not None
        assert (found[0].state, found[0].awaits) == (state, None)
        topic = eventlog.rider_topic(scene.rider.who.account_id)
        assert (await scene.told(topic, position))[-1] == state
    with pytest.raises(errors.TripClosed):
        await trips.resume_trip(scene.rider, trip_id=ridden, idempotency_key="not paused")


async def test_a_trip_that_is_prepared_is_given_up_and_one_that_is_ridden_is_not(scene: Scene) -> None:
    begun, _ = await scene.unlock(scene.rider)
    trip_id = ids.encode(ids.TRIP, begun.id)
    given_up, _ = await trips.cancel_trip(scene.rider, trip_id=trip_id, idempotency_key="no")
    assert (given_up.state, given_up.end_cause) == (TripState.CANCELLED, TripEnd.RIDER)
    assert (await trips.cancel_trip(scene.rider, trip_id=trip_id, idempotency_key="no"))[0] == given_up
    assert await trips.find_open_trip(scene.rider) is None
    ridden = await scene.ride(scene.rider, 1)
    with pytest.raises(errors.TripClosed):
        await trips.cancel_trip(scene.rider, trip_id=ridden, idempotency_key="late")


async def test_nobody_sees_or_does_anything_with_the_trip_of_somebody_else(scene: Scene) -> None:
    ridden = await scene.ride(scene.rider)
    for act in (trips.cancel_trip, trips.pause_trip, trips.resume_trip):
        with pytest.raises(errors.NotFound) as refusal:
            await act(scene.other, trip_id=ridden, idempotency_key="not mine")
        assert refusal.value.path == ["tripId"]
        with pytest.raises(errors.NotFound):
            await act(scene.other, trip_id=ids.encode(ids.TRIP, ids.new()), idempotency_key="nobody's")
    with pytest.raises(errors.NotFound):
        await trips.end_trip(scene.stranger, trip_id=ridden, reason="Elsewhere.", idempotency_key="x")
    target = ids.decode(ridden, ids.TRIP)
    assert [await trips.find_trip(who, target) for who in (scene.other, scene.stranger)] == [None, None]
    assert (await trips.list_own_trips(scene.other, first=10, after=None))[0].items == []
    assert (await trips.list_trips(scene.stranger, first=10, after=None)).items == []


async def test_an_id_of_something_else_is_refused_by_its_field(scene: Scene) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await trips.pause_trip(scene.rider, trip_id=ids.encode(ids.VEHICLE, ids.new()), idempotency_key="x")
    assert refusal.value.issues[0].path == "tripId"


async def test_staff_end_a_trip_once_and_go_on_in_the_stream_of_the_metro(scene: Scene) -> None:
    ridden = await scene.ride(scene.rider)
    target = f"ops_{ridden}"
    given = {"trip_id": target, "reason": "The rider called.", "idempotency_key": "end"}
    ended, position = await trips.end_trip(scene.staff, **given)
    assert (ended.state, ended.end_cause, ended.vehicle.state) == (
        TripState.ENDED,
        TripEnd.OPERATOR,
        VehicleState.NON_OPERATIONAL,
    )
    assert await scene.told(eventlog.dispatch_topic(scene.metro.id), position) == [TripState.ENDED]
    assert (await trips.end_trip(scene.staff, **given))[0] == ended
    with pytest.raises(errors.TripClosed):
        await trips.end_trip(scene.staff, **{**given, "idempotency_key": "again"})
    with pytest.raises(errors.InvalidInput):
        await trips.end_trip(scene.staff, **{**given, "reason": " ", "idempotency_key": "why"})


async def test_trips_are_listed_latest_first_page_by_page(scene: Scene, clock: FixedClock) -> None:
    made: list[UUID] = []
    for number in range(3):
        begun, _ = await scene.unlock(scene.rider, key=str(number))
        made.append(begun.id)
        await trips.cancel_trip(scene.rider, trip_id=ids.encode(ids.TRIP, begun.id), idempotency_key=str(number))
        clock.advance(seconds=1)
    await scene.settle()
    page, position = await trips.list_own_trips(scene.rider, first=2, after=None)
    assert [row.id for row in page.items] == made[:0:-1]
    assert position > eventlog.Position(1, 0, 0)
    rest, _ = await trips.list_own_trips(scene.rider, first=2, after=page.cursors[-1])
    assert [row.id for row in rest.items] == made[:1]
    assert len((await trips.list_trips(scene.staff, metro_id=scene.metro.id, first=10, after=None)).items) == 3
    by_state = await trips.list_trips(scene.staff, states=[TripState.IN_USE], first=10, after=None)
    assert by_state.items == []
    of_other = await trips.list_trips(scene.staff, customer_id=scene.other.who.account_id, first=10, after=None)
    assert of_other.items == []


async def test_a_car_is_unlocked_until_the_end_that_is_named(scene: Scene) -> None:
    async with scene.sessions.begin() as session:
        car = await factories.add_vehicle(session, scene.metro, VehicleType.CAR, nfc_token="tag-of-the-car")
    until = scene.now + timedelta(hours=2)
    given: dict[str, Any] = {"vehicle_id": None, "position": None, "nfc_token": "tag-of-the-car", "reservation_id": None}
    with pytest.raises(errors.InvalidInput):
        await trips.unlock_vehicle(scene.rider, ends_at=None, idempotency_key="open", **given)
    begun, _ = await trips.unlock_vehicle(scene.rider, ends_at=until, idempotency_key="closed", **given)
    assert (begun.vehicle.id, begun.due_at) == (car.id, until)
    assert fleet.VehicleRef.parse(ids.encode(ids.VEHICLE, begun.published_vehicle_id)).published
