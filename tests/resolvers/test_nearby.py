"""What riders see change in a box: the latest of each vehicle, by its published id, no more often than is said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth import AccessTokens
from app.database import SessionFactory
from app.main import build_runtime
from app.settings import Settings
from domain import errors, eventlog, fleet, history, ids, tables
from domain.values import Box, LatLng, VehicleState, VehicleType
from resolvers import nearby
from resolvers.context import Ctx
from resolvers.nearby import Batch
from resolvers.streams import Feed, Place, Resync
from tests import factories
from tests.conftest import FixedClock
from tests.factories import CREATED
from tests.log import settled
from tests.resolvers.doorbells import HandBell

HERE = factories.CENTER
FAR = LatLng(HERE.lat + 0.5, HERE.lon)
BOX = Box(HERE.lat - 0.05, HERE.lon - 0.05, HERE.lat + 0.05, HERE.lon + 0.05)
AVAILABLE, RESERVED, BROKEN = VehicleState.AVAILABLE, VehicleState.RESERVED, VehicleState.NON_OPERATIONAL
Told = tuple[tables.Vehicle, VehicleState, VehicleState]
Items = AsyncGenerator[Batch | Resync, None]


@dataclass
class Scene:
    ctx: Ctx
    sessions: SessionFactory
    bell: HandBell
    metro: tables.Metro

    @property
    def topic(self) -> str:
        return eventlog.dispatch_topic(self.metro.id)

    async def follow(self, after: eventlog.Position | None = None, *, box: Box = BOX) -> Items:
        cursor = self.ctx.runtime.cursors.of_position(after or eventlog.Position(1, 0, 0))
        metro_id = ids.encode(ids.METRO, self.metro.id)
        return await nearby.follow_vehicles_nearby(self.ctx, metro_id=metro_id, box=box, after=cursor)

    async def tell(self, *changes: Told, at: LatLng = HERE, to: LatLng = HERE) -> None:
        await self.write(*changes, at=at, to=to)
        await self.bell.ring([self.topic])

    async def write(self, *changes: Told, at: LatLng = HERE, to: LatLng = HERE) -> None:
        """One transaction: each vehicle goes from a state and place to another."""
        async with self.sessions.begin() as session:
            for vehicle, was, now in changes:
                vehicle.state, vehicle.lat, vehicle.lon = now, to.lat, to.lon
                await eventlog.append_all(session, [fleet.changed(vehicle, was, at)])


@pytest.fixture
async def scene(session_factory: SessionFactory, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(nearby, "SECONDS", 0.05)
    bell = HandBell()
    feed = Feed(session_factory, bell)
    feed.start()
    settings = Settings(signing_key="k" * 32)
    runtime = build_runtime(settings, session_factory, AccessTokens(settings.secret(), clock, minutes=5), feed, clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
    yield Scene(Ctx(runtime, None, "127.0.0.1", "test"), session_factory, bell, metro)
    await feed.stop()


def vehicles(scene: Scene, count: int) -> list[tables.Vehicle]:
    """Rows that only their events tell of."""
    return [
        tables.Vehicle(
            id=ids.new(),
            published_id=ids.new(),
            metro_id=scene.metro.id,
            vehicle_type=VehicleType.BICYCLE,
            plate=f"B-{number}",
            battery_percent=80,
            current_range_meters=40_000,
            odometer_meters=0,
        )
        for number in range(count)
    ]


async def batch_of(items: Items) -> dict[str, str]:
    """What an item tells, by plate."""
    async with asyncio.timeout(30):
        item = await anext(items)
    assert isinstance(item, Batch)
    return {
        change.payload["plate"]: "gone" if not change.is_there else "changed" if change.was_there else "appeared"
        for change in item.changes.values()
    }


async def test_a_vehicle_appears_changes_and_goes(scene: Scene) -> None:
    bike, other, moving = vehicles(scene, 3)
    async with aclosing(await scene.follow()) as items:
        await scene.tell((bike, RESERVED, AVAILABLE), (other, AVAILABLE, AVAILABLE))
        assert await batch_of(items) == {"B-0": "appeared", "B-1": "changed"}
        await scene.tell((bike, AVAILABLE, RESERVED), (other, AVAILABLE, BROKEN))
        assert await batch_of(items) == {"B-0": "gone", "B-1": "gone"}
        await scene.tell((moving, AVAILABLE, AVAILABLE), at=FAR, to=HERE)
        assert await batch_of(items) == {"B-2": "appeared"}
        await scene.tell((moving, AVAILABLE, AVAILABLE), at=HERE, to=FAR)
        assert await batch_of(items) == {"B-2": "gone"}


async def test_what_happens_elsewhere_or_to_what_nobody_may_take_is_silent(scene: Scene) -> None:
    bike, other, last = vehicles(scene, 3)
    async with aclosing(await scene.follow()) as items:
        await scene.tell((bike, AVAILABLE, RESERVED), (bike, RESERVED, AVAILABLE), at=FAR, to=FAR)
        await scene.tell((other, RESERVED, BROKEN), (other, BROKEN, VehicleState.REMOVED))
        async with scene.sessions.begin() as session:
            await eventlog.append(
                session, scene.topic, "vehicle.changed", {"state": "available", "lat": HERE.lat, "lon": HERE.lon}
            )
            await eventlog.append(session, scene.topic, "reservation.confirmed", {"customerId": str(ids.new())})
        await scene.tell((last, AVAILABLE, AVAILABLE))
        assert await batch_of(items) == {"B-2": "changed"}


async def test_nothing_tells_the_permanent_id_to_those_who_see_the_published_one(scene: Scene) -> None:
    (bike,) = vehicles(scene, 1)
    first = str(bike.published_id)
    async with aclosing(await scene.follow()) as items:
        await scene.tell((bike, AVAILABLE, VehicleState.ON_TRIP))
        assert await batch_of(items) == {"B-0": "gone"}
        bike.published_id = ids.new()
        await scene.tell((bike, VehicleState.ON_TRIP, AVAILABLE))
        item = await anext(items)
    assert isinstance(item, Batch)
    assert list(item.changes) == [str(bike.published_id)] != [first]


async def test_the_latest_of_a_vehicle_wins_and_what_came_and_went_is_gone(scene: Scene) -> None:
    bike, brief = vehicles(scene, 2)
    await scene.tell(
        (bike, AVAILABLE, RESERVED), (brief, BROKEN, AVAILABLE), (bike, RESERVED, AVAILABLE), (brief, AVAILABLE, BROKEN)
    )
    async with aclosing(await scene.follow()) as items:
        assert await batch_of(items) == {"B-0": "changed", "B-1": "gone"}


async def test_items_come_no_more_often_than_is_said(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby, "SECONDS", 0.3)
    bikes = vehicles(scene, 4)
    loop = asyncio.get_running_loop()
    async with aclosing(await scene.follow()) as items:
        await scene.tell((bikes[0], RESERVED, AVAILABLE))
        assert await batch_of(items) == {"B-0": "appeared"}
        first = loop.time()
        for bike in bikes[1:]:
            await scene.write((bike, RESERVED, AVAILABLE))
        async with scene.sessions() as session:
            await settled(session)
        await scene.bell.ring([scene.topic])
        assert await batch_of(items) == {"B-1": "appeared", "B-2": "appeared", "B-3": "appeared"}
        assert loop.time() - first >= 0.29


async def test_an_item_is_bounded_and_the_rest_comes_with_the_next(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby, "MAX_VEHICLES", 2)
    bikes = vehicles(scene, 5)
    await scene.tell(*((bike, RESERVED, AVAILABLE) for bike in bikes))
    async with aclosing(await scene.follow()) as items:
        sizes = [len(await batch_of(items)) for _ in range(3)]
    assert sizes == [2, 2, 1]


async def test_who_resumes_with_any_cursor_has_the_latest_of_everything(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearby, "MAX_VEHICLES", 2)
    monkeypatch.setattr(nearby, "SECONDS", 0.0)
    bikes = vehicles(scene, 3)
    for was, now in ((RESERVED, AVAILABLE), (AVAILABLE, BROKEN), (BROKEN, AVAILABLE)):
        await scene.tell(*((bike, was, now) for bike in bikes))
    place = scene.ctx.place = Place()
    cursors: list[eventlog.Position] = []
    seen: list[dict[str, bool]] = []
    known: dict[str, bool] = {}
    async with aclosing(await scene.follow()) as items:
        while len(seen) < 2 or not all(known.get(str(bike.published_id)) for bike in bikes):
            item = await anext(items)
            assert isinstance(item, Batch)
            # Behind this a client goes on that has this item and no more, whatever has been read ahead.
            assert place.position == item.position
            known = known | {name: change.is_there for name, change in item.changes.items()}
            cursors.append(item.position)
            seen.append(known)
    for cursor, known in zip(cursors[:-1], seen[:-1], strict=True):
        scene.ctx.place = None
        async with aclosing(await scene.follow(cursor)) as items:
            while not all(known.get(str(bike.published_id)) for bike in bikes):
                async with asyncio.timeout(30):
                    item = await anext(items)
                assert isinstance(item, Batch)
                known = known | {name: change.is_there for name, change in item.changes.items()}


async def test_a_gap_is_said_and_the_stream_goes_on(scene: Scene) -> None:
    (bike,) = vehicles(scene, 1)
    await scene.tell((bike, RESERVED, AVAILABLE))
    async with scene.sessions.begin() as session:
        await history.erase_topic(session, scene.topic)
    async with aclosing(await scene.follow()) as items:
        async with asyncio.timeout(30):
            assert isinstance(await anext(items), Resync)
        await scene.tell((bike, AVAILABLE, RESERVED))
        assert await batch_of(items) == {"B-0": "gone"}


@pytest.mark.parametrize("box", [Box(49.0, 8.0, 49.3, 8.1), Box(49.0, 8.0, 49.1, 8.3), Box(49.1, 8.0, 49.0, 8.1)])
async def test_a_box_that_is_too_wide_or_no_box_is_refused(scene: Scene, box: Box) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await scene.follow(box=box)
    assert refusal.value.path == ["box"]


async def test_a_metro_that_is_not_there_is_not_found(scene: Scene) -> None:
    elsewhere = Scene(scene.ctx, scene.sessions, scene.bell, tables.Metro(id=ids.new()))
    with pytest.raises(errors.NotFound):
        await elsewhere.follow()


async def test_a_stream_that_is_left_leaves_nothing_running(scene: Scene) -> None:
    (bike,) = vehicles(scene, 1)
    items: Any = await scene.follow()
    await scene.tell((bike, RESERVED, AVAILABLE))
    await anext(items)
    await items.aclose()
    feed = scene.ctx.runtime.feed
    assert feed._channels == {}


_PLACES = (HERE, LatLng(HERE.lat + 0.01, HERE.lon), FAR)


@given(
    changes=st.lists(st.tuples(st.integers(0, 3), st.sampled_from([AVAILABLE, RESERVED]), st.sampled_from(_PLACES)), max_size=20),
    batch=st.integers(1, 7),
    seen=st.integers(0, 20),
)
def test_whoever_goes_on_from_anywhere_ends_with_what_is_there(
    changes: list[tuple[int, VehicleState, LatLng]], batch: int, seen: int
) -> None:
    """Items are cut anywhere, the client comes from anywhere: also from the middle of an item of another process."""
    now: dict[int, tuple[VehicleState, LatLng]] = dict.fromkeys(range(4), (RESERVED, FAR))
    truth: list[set[str]] = [set()]
    sights: list[nearby.Sight] = []
    for number, (vehicle, state, place) in enumerate(changes, start=1):
        (was, was_at), now[vehicle] = now[vehicle], (state, place)
        payload = {"publishedVehicleId": str(vehicle), "state": state, "lat": place.lat, "lon": place.lon}
        before = {"wasState": was, "wasLat": was_at.lat, "wasLon": was_at.lon}
        event = eventlog.Event(eventlog.Position(1, 1, number), "t", "vehicle.changed", 1, payload | before, CREATED)
        if (sight := nearby._sight(event, BOX)) is not None:
            sights.append(sight)
        truth.append({str(one) for one, (state, at) in now.items() if state is AVAILABLE and at is not FAR})
    seen = min(seen, len(changes))
    known = set(truth[seen])
    for first in range(0, len(sights), batch):
        part = sights[first : first + batch]
        merged = Batch(part[0].event.position, part[0].event.at)
        for sight in part:
            merged.add(sight)
        if merged.position.seq > seen:
            known |= {name for name, change in merged.changes.items() if change.is_there}
            known -= {name for name, change in merged.changes.items() if not change.is_there}
    assert known == truth[-1]
