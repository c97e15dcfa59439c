"""Who follows gets every event once, in order, or is told of the gap before it; whatever is deleted in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from domain import eventlog, history
from resolvers import streams
from resolvers.streams import Feed, Place, Resync
from tests.log import settled_after
from tests.resolvers.doorbells import HandBell

START = eventlog.Position(1, 0, 0)


@pytest.fixture
def topic() -> str:
    return eventlog.dispatch_topic(uuid4())


@pytest.fixture
def bell() -> HandBell:
    return HandBell()


@pytest.fixture
async def feed(session_factory: SessionFactory, bell: HandBell, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Feed]:
    """Looks only when it is rung for."""
    monkeypatch.setattr(streams, "POLL_SECONDS", 60)
    made = Feed(session_factory, bell)
    made.start()
    yield made
    await made.stop()


async def append(session_factory: SessionFactory, topic: str, *numbers: int) -> None:
    """Returns when they are settled, as all that was written before."""
    async with session_factory.begin() as session:
        position = await eventlog.current_position(session, topic)
        await eventlog.append_all(session, [(topic, "vehicle.changed", {"n": number}) for number in numbers])
    async with session_factory() as session:
        await settled_after(session, topic, position)


async def forget(session_factory: SessionFactory, topic: str) -> None:
    async with session_factory.begin() as session:
        await history.forget_events(session, topic.partition(":")[0], before=datetime.now(UTC) + timedelta(days=1))


async def next_of(items: AsyncIterator[eventlog.Event | Resync]) -> int | Resync:
    async with asyncio.timeout(30):
        item = await anext(items)
    return item.payload["n"] if isinstance(item, eventlog.Event) else item


async def test_who_comes_back_to_a_history_that_is_gone_is_told_and_goes_on(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    await append(session_factory, topic, 1, 2)
    await forget(session_factory, topic)
    async with aclosing(feed.follow(topic, START)) as items:
        gap = await next_of(items)
        assert isinstance(gap, Resync)
        await append(session_factory, topic, 3)
        await bell.ring([topic])
        assert await next_of(items) == 3
    async with aclosing(feed.follow(topic, gap.position)) as items:
        assert await next_of(items) == 3


async def test_who_follows_and_has_had_everything_hears_nothing_of_it(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    async with aclosing(feed.follow(topic, START)) as items:
        await append(session_factory, topic, 1)
        await bell.ring([topic])
        assert await next_of(items) == 1
        await forget(session_factory, topic)
        await bell.ring([topic])
        await append(session_factory, topic, 2)
        await bell.ring([topic])
        assert await next_of(items) == 2


async def test_a_live_reader_that_comes_too_late_tells_all_its_followers(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, is_away, failed = eventlog.read_after, False, asyncio.Event()

    async def failing(session: AsyncSession, of: str, *given: Any) -> eventlog.Batch:
        if is_away and of == topic:
            failed.set()
            raise exc.OperationalError("select", {}, OSError("gone"))
        return await read(session, of, *given)

    monkeypatch.setattr(eventlog, "read_after", failing)
    async with aclosing(feed.follow(topic, START)) as one, aclosing(feed.follow(topic, START)) as other:
        await append(session_factory, topic, 1)
        await bell.ring([topic])
        assert [await next_of(one), await next_of(other)] == [1, 1]
        is_away = True
        await bell.ring([topic])
        await failed.wait()
        async with session_factory.begin() as session:
            await eventlog.append(session, topic, "vehicle.changed", {"n": 2})
        await append(session_factory, eventlog.dispatch_topic(uuid4()), 0)
        await forget(session_factory, topic)
        is_away = False
        await bell.ring([topic])
        gaps = [await next_of(one), await next_of(other)]
        assert isinstance(gaps[0], Resync)
        assert gaps[0] == gaps[1]
        await append(session_factory, topic, 3)
        await bell.ring([topic])
        assert [await next_of(one), await next_of(other)] == [3, 3]


async def test_what_is_erased_unsettled_reaches_the_live_reader_as_a_gap(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    async with aclosing(feed.follow(topic, START)) as items:
        await append(session_factory, topic, 1)
        await bell.ring([topic])
        assert await next_of(items) == 1
        async with session_factory() as slow:
            await eventlog.append(slow, topic, "vehicle.changed", {"n": 2})
            async with session_factory.begin() as session:
                await eventlog.append(session, topic, "vehicle.changed", {"n": 3})
            async with session_factory.begin() as session:
                assert await history.erase_topic(session, topic) == 2
            await bell.ring([topic])
            told = asyncio.ensure_future(next_of(items))
            assert not (await asyncio.wait([told], timeout=0.2))[0], "the slow one may still come before it"
            await slow.commit()
        await append(session_factory, eventlog.dispatch_topic(uuid4()), 0)
        await bell.ring([topic])
        gap = await told
    assert isinstance(gap, Resync)


async def test_a_replay_meets_the_gap_and_comes_to_the_end(session_factory: SessionFactory, feed: Feed, topic: str) -> None:
    await append(session_factory, topic, 1)
    await forget(session_factory, topic)
    await append(session_factory, topic, 2)
    place = Place(is_replay=True)
    async with aclosing(feed.follow(topic, START, place)) as items:
        seen = [item async for item in items]
    assert [type(item) for item in seen] == [Resync], "what is still there, the object tells"
    assert (place.start, place.position, place.is_at_end, place.has_gap) == (START, seen[0].position, True, True)
