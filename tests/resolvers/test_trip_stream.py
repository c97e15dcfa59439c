"""What riders see of their trips as they change, and of their price as the minutes go by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from app.auth import AccessTokens
from app.database import SessionFactory
from app.main import build_runtime
from app.settings import Settings
from domain import errors, eventlog, history, trips
from domain.actor import Actor
from domain.tables import TripState
from domain.values import Money
from resolvers import trip_stream
from resolvers import trips as trip_resolvers
from resolvers.context import Ctx
from resolvers.streams import Feed, Place, Resync
from resolvers.trip_stream import Changed, Item, Ticked
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.log import settled
from tests.resolvers.doorbells import HandBell
from tests.resolvers.front import statements

#: what the tests' tariff asks for unlocking, and a minute
UNLOCK, MINUTE = 100, 19


@dataclass
class Scene:
    ctx: Ctx
    sessions: SessionFactory
    clock: FixedClock
    bell: HandBell
    who: Actor
    bike: UUID

    @property
    def topic(self) -> str:
        return eventlog.rider_topic(self.who.account_id)

    async def follow(self, after: str | None = None) -> Any:
        return await trip_stream.follow_trips(self.ctx, after=after)

    async def ring(self) -> None:
        async with self.sessions() as session:
            await settled(session)
        await self.bell.ring([self.topic])

    async def ride(self) -> trips.Trip:
        found = await rides.ride(self.sessions, self.who, self.bike, self.clock.now())
        await self.ring()
        return found

    async def open_cursor(self) -> str:
        found = await trip_resolvers.find_open_trip(self.ctx)
        assert found is not None
        return self.ctx.runtime.cursors.of_position(found[1])


@pytest.fixture
async def scene(session_factory: SessionFactory, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(trip_stream, "LOOK_SECONDS", 0.01)
    bell = HandBell()
    feed = Feed(session_factory, bell)
    feed.start()
    settings = Settings(signing_key="k" * 32)
    runtime = build_runtime(settings, session_factory, AccessTokens(settings.secret(), clock, minutes=5), feed, clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
        await factories.add_tariff(session, metro, unlock_minor=UNLOCK, per_minute_minor=MINUTE, pause_per_minute_minor=5)
        who = await factories.add_rider(session)
        await factories.add_payment_method(session, who.account_id)
        bike = await factories.add_vehicle(session, metro)
    yield Scene(Ctx(runtime, who, "127.0.0.1", "test"), session_factory, clock, bell, who, bike.id)
    await feed.stop()


async def upcoming(items: Any) -> Item:
    async with asyncio.timeout(30):
        item: Item = await anext(items)
    return item


async def changes(items: Any, count: int) -> list[tuple[str, Money | None]]:
    found = [await upcoming(items) for _ in range(count)]
    assert all(isinstance(one, Changed) for one in found)
    return [(one.event.payload["state"], one.price) for one in found if isinstance(one, Changed)]


async def nothing_comes(items: Any) -> None:
    """For some looks at the clock; what was asked for next still comes with the one who waits for it."""
    waiting = asyncio.ensure_future(anext(items))
    assert not (await asyncio.wait({waiting}, timeout=0.1))[0]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


def euros(minor_units: int) -> Money:
    return Money(minor_units, "EUR")


async def test_a_trip_is_told_of_from_the_unlocking_on_and_ticks_by_the_minute(scene: Scene) -> None:
    async with aclosing(await scene.follow()) as items:
        begun = await rides.unlock(scene.sessions, scene.who, scene.bike, scene.clock.now())
        await scene.ring()
        assert await changes(items, 1) == [(TripState.PREPARING, None)]
        await rides.answer(scene.sessions, scene.bike, scene.clock.now())
        await scene.ring()
        item = await upcoming(items)
        assert isinstance(item, Changed)
        assert (item.event.payload["state"], item.price) == (TripState.IN_USE, euros(UNLOCK + MINUTE))
        for minute in (2, 3):
            scene.clock.advance(seconds=60 if minute > 2 else 61)
            tick = await upcoming(items)
            assert tick == Ticked(item.event.position, begun.id, scene.clock.now(), euros(UNLOCK + minute * MINUTE))


async def test_minutes_that_began_unseen_are_one_tick(scene: Scene) -> None:
    ridden = await scene.ride()
    async with aclosing(await scene.follow()) as items:
        scene.clock.advance(minutes=10, seconds=30)
        tick = await upcoming(items)
        assert isinstance(tick, Ticked)
        assert ridden.started_at is not None
        assert (tick.at - ridden.started_at).total_seconds() == 601
        assert tick.price == euros(UNLOCK + 11 * MINUTE)


async def test_a_clock_that_is_set_back_ticks_again_from_there(scene: Scene) -> None:
    await scene.ride()
    scene.clock.advance(minutes=30)
    async with aclosing(await scene.follow()) as items:
        scene.clock.advance(minutes=-29)
        waiting = asyncio.ensure_future(upcoming(items))
        await asyncio.sleep(0.05)
        scene.clock.advance(seconds=61)
        tick = await waiting
        assert isinstance(tick, Ticked)
        assert tick.price == euros(UNLOCK + 3 * MINUTE)


async def test_nothing_ticks_without_a_ride_and_no_tick_asks_the_database(scene: Scene) -> None:
    async with aclosing(await scene.follow()) as items:
        begun = await rides.unlock(scene.sessions, scene.who, scene.bike, scene.clock.now())
        await scene.ring()
        await changes(items, 1)
        scene.clock.advance(minutes=5)
        await nothing_comes(items)
    async with scene.sessions.begin() as session:
        await trips.cancel_trip(session, scene.who, trip_id=begun.id, now=scene.clock.now())
    await scene.ring()
    async with aclosing(await scene.follow()) as items:
        scene.clock.advance(minutes=5)
        await nothing_comes(items)
    await scene.ride()
    async with aclosing(await scene.follow()) as items:
        scene.clock.advance(seconds=61)
        await upcoming(items)
        with statements(scene.ctx.runtime) as sent:
            for _ in range(3):
                scene.clock.advance(seconds=60)
                assert isinstance(await upcoming(items), Ticked)
        assert [one for one in sent if "trips" in one or "event_log" not in one] == []


async def end(scene: Scene, trip_id: UUID) -> None:
    async with scene.sessions.begin() as session:
        staff = await factories.add_member(session)
        await trips.end_trip(session, staff, trip_id=trip_id, reason="Found it.", now=scene.clock.now())
    await scene.ring()


async def pause(scene: Scene, trip_id: UUID) -> None:
    await rides.pause(scene.sessions, scene.who, trip_id, scene.clock.now())
    await rides.answer(scene.sessions, scene.bike, scene.clock.now())
    await scene.ring()


async def test_a_pause_ticks_at_its_own_price_and_the_end_ends_the_ticking(scene: Scene) -> None:
    ridden = await scene.ride()
    async with aclosing(await scene.follow(await scene.open_cursor())) as items:
        await pause(scene, ridden.id)
        assert await changes(items, 2) == [(TripState.IN_USE, euros(119)), (TripState.PAUSED, euros(119))]
        scene.clock.advance(minutes=3, seconds=1)
        tick = await upcoming(items)
        assert isinstance(tick, Ticked)
        assert tick.price == euros(UNLOCK + MINUTE + 3 * 5)
        await end(scene, ridden.id)
        assert await changes(items, 1) == [(TripState.ENDED, tick.price)]
        scene.clock.advance(minutes=5)
        await nothing_comes(items)


async def test_who_follows_from_the_open_trip_hears_its_price_though_nothing_changes(scene: Scene) -> None:
    ridden = await scene.ride()
    scene.clock.advance(minutes=7)
    cursor = await scene.open_cursor()
    for after in (cursor, None):
        async with aclosing(await scene.follow(after)) as items:
            scene.clock.advance(seconds=61)
            tick = await upcoming(items)
            assert isinstance(tick, Ticked)
            assert tick.trip_id == ridden.id


async def test_who_resumes_with_the_cursor_of_a_tick_or_a_change_misses_and_repeats_no_change(scene: Scene) -> None:
    cursors = scene.ctx.runtime.cursors
    seen: list[Item] = []
    async with aclosing(await scene.follow()) as items:
        ridden = await scene.ride()
        seen += [await upcoming(items), await upcoming(items)]
        scene.clock.advance(seconds=61)
        seen.append(await upcoming(items))
        await pause(scene, ridden.id)
        seen += [await upcoming(items), await upcoming(items)]
        scene.clock.advance(seconds=61)
        seen.append(await upcoming(items))
    assert [type(one) for one in seen] == [Changed, Changed, Ticked, Changed, Changed, Ticked]
    told = [one.event.position for one in seen if isinstance(one, Changed)]
    for number, item in enumerate(seen):
        position = item.event.position if isinstance(item, Changed) else item.position
        behind = [one.event.position for one in seen[number + 1 :] if isinstance(one, Changed)]
        async with aclosing(await scene.follow(cursors.of_position(position))) as items:
            again = [await upcoming(items) for _ in behind]
            assert [one.event.position for one in again if isinstance(one, Changed)] == behind
            await nothing_comes(items)
    assert told == sorted(set(told))


async def test_a_shared_stream_is_where_it_was_shown_though_it_has_read_on(scene: Scene) -> None:
    """Behind the place of a tick a device goes on that joins there: what is read already but was not shown must come."""
    ridden = await scene.ride()
    place = scene.ctx.place = Place()
    async with aclosing(await scene.follow()) as items:
        scene.clock.advance(seconds=61)
        tick = await upcoming(items)
        assert isinstance(tick, Ticked)
        await pause(scene, ridden.id)
        await asyncio.sleep(0.05)
        assert place.position == tick.position
        changed = await upcoming(items)
        assert isinstance(changed, Changed)
        assert place.position == changed.event.position


async def test_a_replay_ends_at_the_end_of_the_log_and_does_not_tick(scene: Scene) -> None:
    start = eventlog.Position(1, 0, 0)
    await scene.ride()
    scene.clock.advance(minutes=5)
    place = scene.ctx.place = Place(is_replay=True, after=start)
    async with aclosing(await scene.follow()) as items:
        found = [item async for item in items]
    assert [type(one) for one in found] == [Changed, Changed]
    assert place.is_at_end
    last = found[-1]
    assert isinstance(last, Changed)
    assert place.position == last.event.position


async def test_a_gap_is_said_and_the_price_of_the_open_trip_goes_on(scene: Scene) -> None:
    await scene.ride()
    async with scene.sessions.begin() as session:
        await history.erase_topic(session, scene.topic)
    start = scene.ctx.runtime.cursors.of_position(eventlog.Position(1, 0, 0))
    async with aclosing(await scene.follow(start)) as items:
        assert isinstance(await upcoming(items), Resync)
        scene.clock.advance(seconds=61)
        assert isinstance(await upcoming(items), Ticked)


async def test_a_stream_that_has_begun_waits_while_a_trip_cannot_be_read(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = [errors.OutOfReach(), errors.OutOfReach()]
    read = trips.get_trip

    async def refusing(*given: Any) -> trips.Trip:
        if refusals:
            raise refusals.pop()
        return await read(*given)

    monkeypatch.setattr(trip_stream, "RETRY_SECONDS", (0.001, 0.01))
    async with aclosing(await scene.follow()) as items:
        await scene.ride()
        monkeypatch.setattr(trips, "get_trip", refusing)
        told = await changes(items, 2)
    assert [state for state, _ in told] == [TripState.PREPARING, TripState.IN_USE]
    assert refusals == []


async def test_a_riders_stream_tells_of_nobody_elses_trips(scene: Scene) -> None:
    async with scene.sessions.begin() as session:
        other = await factories.add_rider(session)
    elsewhere = Ctx(scene.ctx.runtime, other, "127.0.0.1", "test")
    async with aclosing(await trip_stream.follow_trips(elsewhere, after=None)) as items:
        await scene.ride()
        scene.clock.advance(minutes=2)
        await nothing_comes(items)


async def test_a_cursor_that_was_not_given_out_is_refused(scene: Scene) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await scene.follow("garbage")
    assert refusal.value.path == ["after"]


async def test_a_stream_that_is_left_leaves_nothing_running(scene: Scene) -> None:
    await scene.ride()
    items = await scene.follow()
    scene.clock.advance(seconds=61)
    await upcoming(items)
    await items.aclose()
    assert scene.ctx.runtime.feed._channels == {}
