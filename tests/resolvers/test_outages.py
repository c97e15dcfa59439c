"""A stream that has begun waits for a database that is away, and goes on as if nothing had been."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import exc

from app.database import SessionFactory
from domain import eventlog
from resolvers import streams
from resolvers.streams import Feed, Resync
from tests.log import settled_after
from tests.resolvers.doorbells import HandBell

START = eventlog.Position(1, 0, 0)


@pytest.fixture
def topic() -> str:
    return eventlog.dispatch_topic(uuid4())


@pytest.fixture
async def feed(session_factory: SessionFactory, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Feed]:
    monkeypatch.setattr(streams, "POLL_SECONDS", 0.02)
    made = Feed(session_factory, HandBell())
    made.start()
    yield made
    await made.stop()


async def append(session_factory: SessionFactory, topic: str, *numbers: int) -> None:
    """Returns when they are settled."""
    async with session_factory.begin() as session:
        position = await eventlog.current_position(session, topic)
        await eventlog.append_all(session, [(topic, "vehicle.changed", {"n": number}) for number in numbers])
    async with session_factory() as session:
        await settled_after(session, topic, position)


async def take(events: AsyncGenerator[eventlog.Event | Resync, None], count: int) -> list[int]:
    found: list[int] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            item = await anext(events)
            assert isinstance(item, eventlog.Event)
            found.append(item.payload["n"])
    return found


class Outage:
    """Reads of the log fail from the `begins`th on, `lasts` of them."""

    def __init__(self, begins: int, lasts: int) -> None:
        self._read, self._begins, self._lasts = eventlog.read_after, begins, lasts
        self.failures = 0

    async def read_after(self, *given: Any) -> eventlog.Batch:
        self._begins -= 1
        if self._begins < 0 and self.failures < self._lasts:
            self.failures += 1
            raise exc.OperationalError("select", {}, OSError("gone")) if self.failures % 2 else asyncio.CancelledError
        return await self._read(*given)


@pytest.mark.parametrize("is_replay", [False, True])
async def test_who_reads_alone_waits_for_the_database_and_repeats_and_loses_nothing(
    session_factory: SessionFactory,
    feed: Feed,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
    is_replay: bool,
) -> None:
    await append(session_factory, topic, *range(1200))  # three batches: the second cannot be read
    outage = Outage(1, 3)
    monkeypatch.setattr(eventlog, "read_after", outage.read_after)
    place = streams.Place(is_replay=is_replay)
    async with aclosing(feed.follow(topic, START, place)) as events:
        assert await take(events, 1200) == list(range(1200))
        if is_replay:
            assert [item async for item in events] == []
            assert place.is_at_end
        else:
            await append(session_factory, topic, 1200)
            assert await take(events, 1) == [1200]
    assert outage.failures == 3


async def test_who_falls_behind_during_an_outage_waits_for_its_end(
    session_factory: SessionFactory, feed: Feed, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "QUEUE_LIMIT", 3)
    async with aclosing(feed.follow(topic, START)) as events:
        await append(session_factory, topic, 0)
        assert await take(events, 1) == [0]
        (follower,) = feed._channels[topic].followers
        await append(session_factory, topic, *range(1, 10))
        async with asyncio.timeout(30):
            while not follower.lagging:
                await asyncio.sleep(0.001)
        outage = Outage(0, 3)
        monkeypatch.setattr(eventlog, "read_after", outage.read_after)
        assert await take(events, 9) == list(range(1, 10))
    assert outage.failures == 3


async def test_who_waits_for_the_database_ends_when_told_to(
    session_factory: SessionFactory, feed: Feed, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outage = Outage(0, 10**9)
    monkeypatch.setattr(eventlog, "read_after", outage.read_after)
    monkeypatch.setattr(streams, "RETRY_SECONDS", (60.0, 60.0))
    async with aclosing(feed.follow(topic, START)) as events:
        waiting = asyncio.ensure_future(take(events, 1))
        async with asyncio.timeout(30):
            while outage.failures < 2:  # its own read and the reader's
                await asyncio.sleep(0.001)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
    assert topic not in feed._channels
