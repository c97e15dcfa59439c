"""Who follows a topic sees every event once, in one order, whatever happens in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast
from uuid import uuid4

import pytest
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from app.database import SessionFactory
from domain import errors, eventlog
from resolvers import streams
from resolvers.cursors import CursorCodec
from resolvers.streams import Feed, Resync
from tests.resolvers.doorbells import HandBell

CODEC = CursorCodec(b"k" * 32)
START = eventlog.Position(1, 0, 0)


@pytest.fixture
def topic() -> str:
    return eventlog.dispatch_topic(uuid4())


@pytest.fixture
def bell() -> HandBell:
    return HandBell()


@pytest.fixture
async def feed(session_factory: SessionFactory, bell: HandBell) -> AsyncIterator[Feed]:
    made = Feed(session_factory, bell)
    made.start()
    yield made
    await made.stop()


async def append(session_factory: SessionFactory, bell: HandBell, topic: str, *numbers: int) -> None:
    async with session_factory.begin() as session:
        await eventlog.append_all(session, [(topic, "vehicle.changed", {"n": number}) for number in numbers])
    await bell.ring([topic])


async def take(events: AsyncGenerator[eventlog.Event | Resync, None], count: int) -> list[Any]:
    """The next items; the number of an event, the Resync itself."""
    found: list[Any] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            item = await anext(events)
            found.append(item.payload["n"] if isinstance(item, eventlog.Event) else item)
    return found


async def nothing_comes(events: AsyncGenerator[eventlog.Event | Resync, None], seconds: float = 0.15) -> None:
    waiting = asyncio.ensure_future(anext(events))
    done, _ = await asyncio.wait([waiting], timeout=seconds)
    assert not done
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def following(feed: Feed, topic: str) -> None:
    """Returns when somebody follows the topic."""
    async with asyncio.timeout(30):
        while topic not in feed._channels:
            await asyncio.sleep(0.001)


async def test_events_come_in_the_order_of_their_commits(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    async with aclosing(feed.follow(topic, START)) as events:
        await append(session_factory, bell, topic, 1, 2)
        assert await take(events, 2) == [1, 2]
        await append(session_factory, bell, topic, 3)
        await append(session_factory, bell, eventlog.dispatch_topic(uuid4()), 99)
        await append(session_factory, bell, topic, 4)
        assert await take(events, 2) == [3, 4]


async def settle(session_factory: SessionFactory, topic: str) -> None:
    """Returns when "now" lies behind every event: no transaction that was open beside them still is."""
    async with asyncio.timeout(30), session_factory() as session:
        while True:
            batch = await eventlog.read_after(session, topic, await eventlog.current_position(session, topic))
            if not batch.events and not batch.unsettled:
                return
            await asyncio.sleep(0.005)


async def test_without_a_cursor_a_stream_begins_now(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    await append(session_factory, bell, topic, 1)
    await settle(session_factory, topic)
    async with aclosing(feed.follow(topic, None)) as events:
        first = asyncio.ensure_future(take(events, 1))
        await following(feed, topic)
        await append(session_factory, bell, topic, 2)
        assert await first == [2]


async def test_a_stream_goes_on_behind_its_cursor(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    await append(session_factory, bell, topic, *range(1200))  # more than one batch
    async with aclosing(feed.follow(topic, START)) as events:
        async for item in events:
            if isinstance(item, eventlog.Event) and item.payload["n"] == 555:
                cursor = CODEC.of_position(item.position)
                break
    async with aclosing(feed.follow(topic, CODEC.position(cursor))) as events:
        assert await take(events, 644) == list(range(556, 1200))
        await append(session_factory, bell, topic, 1200)
        assert await take(events, 1) == [1200]


async def test_an_event_behind_an_open_transaction_is_neither_lost_nor_early(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    async with aclosing(feed.follow(topic, START)) as events, session_factory() as slow:
        await append(session_factory, bell, topic, 1)
        assert await take(events, 1) == [1]
        await eventlog.append(slow, topic, "vehicle.changed", {"n": 2})
        await append(session_factory, bell, topic, 3)
        pending = asyncio.ensure_future(take(events, 2))
        assert not (await asyncio.wait([pending], timeout=0.2))[0]
        await slow.commit()
        assert await pending == [2, 3]


class LateReader:
    """A session factory whose readers begin late; what a follower itself asks for is answered at once."""

    def __init__(self, session_factory: SessionFactory) -> None:
        self._session_factory = session_factory
        self.kw = {"bind": self}

    def begin(self) -> Any:
        return self._session_factory.begin()

    async def connect(self) -> AsyncConnection:
        await asyncio.sleep(0.2)
        connection: AsyncConnection = await self._session_factory.kw["bind"].connect()
        return connection


async def test_what_is_written_before_the_reader_has_begun_is_not_lost(
    session_factory: SessionFactory, bell: HandBell, topic: str
) -> None:
    feed = Feed(cast("SessionFactory", LateReader(session_factory)), bell)
    feed.start()
    async with aclosing(feed.follow(topic, None)) as events:
        first = asyncio.ensure_future(take(events, 1))
        await following(feed, topic)
        await asyncio.sleep(0.1)  # the follower has read, the reader has not
        await append(session_factory, bell, topic, 1)
        assert await first == [1]
    await feed.stop()


async def test_who_cannot_keep_up_reads_alone_and_misses_nothing(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "QUEUE_LIMIT", 5)
    async with aclosing(feed.follow(topic, START)) as slow, aclosing(feed.follow(topic, START)) as quick:
        await append(session_factory, bell, topic, 0)
        assert await take(slow, 1) == [0]
        assert await take(quick, 1) == [0]
        for number in range(1, 21):
            await append(session_factory, bell, topic, number)
            assert await take(quick, 1) == [number]
        assert await take(slow, 20) == list(range(1, 21))
        await append(session_factory, bell, topic, 21)
        assert await take(slow, 1) == [21]


async def test_a_lost_ring_only_delays(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "POLL_SECONDS", 0.1)
    async with aclosing(feed.follow(topic, START)) as events:
        await append(session_factory, bell, topic, 1)
        assert await take(events, 1) == [1]
        await append(session_factory, HandBell(), topic, 2)
        assert await take(events, 1) == [2]


async def test_a_ring_without_a_topic_looks_at_every_topic(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    async with aclosing(feed.follow(topic, START)) as events:
        await append(session_factory, bell, topic, 1)
        assert await take(events, 1) == [1]
        await append(session_factory, HandBell(), topic, 2)
        await bell.ring([""])
        assert await take(events, 1) == [2]


async def raise_epoch(session_factory: SessionFactory) -> None:
    async with session_factory.begin() as session:
        await (await session.connection()).run_sync(lambda connection: eventlog.open_epoch(connection, force=True))


async def test_a_cursor_from_before_a_restore_is_told_of_the_gap(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    await append(session_factory, bell, topic, 1)
    await raise_epoch(session_factory)
    async with aclosing(feed.follow(topic, START)) as events:
        (gap,) = await take(events, 1)
        assert isinstance(gap, Resync)
        assert gap.position.epoch == 2
        await append(session_factory, bell, topic, 2)
        assert await take(events, 1) == [2]


async def test_who_follows_through_a_restore_is_told_once_and_goes_on(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    async with aclosing(feed.follow(topic, START)) as events:
        await append(session_factory, bell, topic, 1)
        assert await take(events, 1) == [1]
        await raise_epoch(session_factory)
        await bell.ring([topic])
        (gap,) = await take(events, 1)
        assert isinstance(gap, Resync)
        await append(session_factory, bell, topic, 2)
        assert await take(events, 1) == [2]
    async with aclosing(feed.follow(topic, gap.position)) as events:
        assert await take(events, 1) == [2]


async def test_a_doorbell_that_breaks_or_ends_is_heard_again(
    session_factory: SessionFactory, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "POLL_SECONDS", 60)

    class BrokenBell(HandBell):
        async def rings(self) -> AsyncIterator[str]:
            async for rung in super().rings():
                if rung == "break":
                    raise OSError("the broker is gone")
                if rung == "end":
                    return
                yield rung

    bell = BrokenBell()
    feed = Feed(session_factory, bell)
    feed.start()
    async with aclosing(feed.follow(topic, START)) as events:
        await append(session_factory, bell, topic, 1)
        assert await take(events, 1) == [1]
        for number, trouble in ((2, "break"), (4, "end")):
            await bell.ring([trouble])
            await append(session_factory, HandBell(), topic, number)  # while nobody listens
            assert await take(events, 1) == [number]
            await append(session_factory, bell, topic, number + 1)
            assert await take(events, 1) == [number + 1]
    await feed.stop()


async def test_a_read_that_its_driver_cancels_does_not_end_the_reader(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aclosing(feed.follow(topic, START)) as events:
        await append(session_factory, bell, topic, 1)
        assert await take(events, 1) == [1]
        read, cancels = eventlog.read_after, 2

        async def cancelling(*given: Any) -> eventlog.Batch:
            nonlocal cancels
            if cancels:
                cancels -= 1
                raise asyncio.CancelledError
            return await read(*given)

        monkeypatch.setattr(eventlog, "read_after", cancelling)
        for number in range(2, 8):
            await append(session_factory, bell, topic, number)
            assert await take(events, 1) == [number]
        assert cancels == 0


async def test_nobody_joins_a_reader_that_is_about_to_end(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    async def end_slowly() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)

    async with aclosing(feed.follow(topic, START)) as before:
        await append(session_factory, bell, topic, 1)
        assert await take(before, 1) == [1]
        ending = feed._channels[topic]
        ending.task.cancel()
        ending.task = asyncio.create_task(end_slowly())
        await asyncio.sleep(0)
        stopping = asyncio.ensure_future(feed.stop())
        await asyncio.sleep(0)
        async with aclosing(feed.follow(topic, None)) as events:
            first = asyncio.ensure_future(take(events, 1))
            await following(feed, topic)
            await append(session_factory, bell, topic, 2)
            feed._channels[topic].ring()
            assert await first == [2]
        await stopping


async def test_a_reader_that_fails_tries_again_and_loses_nothing(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with aclosing(feed.follow(topic, START)) as events:
        await append(session_factory, bell, topic, 1)
        assert await take(events, 1) == [1]
        read, failures = eventlog.read_after, 3

        async def failing(*given: Any) -> eventlog.Batch:
            nonlocal failures
            if failures:
                failures -= 1
                raise exc.OperationalError("select", {}, OSError("gone"))
            return await read(*given)

        monkeypatch.setattr(eventlog, "read_after", failing)
        for number in range(2, 8):
            await append(session_factory, bell, topic, number)
            assert await take(events, 1) == [number]
        assert failures == 0


async def test_a_stream_that_cannot_begin_says_so(session_factory: SessionFactory, feed: Feed, topic: str) -> None:
    async with session_factory.begin() as session:
        await session.execute(text("alter table event_log_epoch rename to away"))

    class Unreachable:
        @asynccontextmanager
        async def begin(self) -> AsyncIterator[AsyncSession]:
            raise OSError("connection refused")
            yield

    gone = Feed(cast("SessionFactory", Unreachable()), HandBell())
    with pytest.raises(errors.OutOfReach):
        await anext(gone.follow(topic, None))
    assert not gone._channels
    with pytest.raises(exc.DBAPIError):
        await anext(feed.follow(topic, START))
    assert not feed._channels


async def test_the_last_follower_takes_the_reader_along(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    await append(session_factory, bell, topic, 1)
    async with aclosing(feed.follow(topic, START)) as one:
        await take(one, 1)
        async with aclosing(feed.follow(topic, START)) as other:
            await take(other, 1)
            reader = feed._channels[topic].task
        assert feed._channels[topic].task is reader
    assert not feed._channels
    await asyncio.wait([reader], timeout=1)
    assert reader.cancelled()


WRITERS, SUBSCRIBERS, EVENTS = 32, 10, 25


async def write(session_factory: SessionFactory, bell: HandBell, topic: str, writer: int) -> None:
    """Transactions of different lengths, some with two events, some rolled back."""
    choice = random.Random(writer)
    number = 0
    while number < EVENTS:
        batch = min(choice.choice([1, 1, 2]), EVENTS - number)
        async with session_factory() as session:
            for n in range(number, number + batch):
                await eventlog.append(session, topic, "vehicle.changed", {"n": writer * 1000 + n})
                await asyncio.sleep(choice.choice([0, 0, 0.002, 0.02]))
            if choice.random() < 0.1:
                await session.rollback()
                continue
            await session.commit()
        await bell.ring([topic])
        number += batch


async def subscribe(feed: Feed, topic: str, cursor: str, *, restless: random.Random | None) -> list[int]:
    """What a subscriber sees until it has seen as much as was written, over as many connections as it takes."""
    seen: list[int] = []
    while len(seen) < WRITERS * EVENTS:
        stay = restless.randrange(1, 120) if restless else None
        async with aclosing(feed.follow(topic, CODEC.position(cursor))) as events:
            async for item in events:
                assert isinstance(item, eventlog.Event)
                cursor = CODEC.of_position(item.position)
                seen.append(item.payload["n"])
                stay = stay - 1 if stay else stay
                if stay == 0 or len(seen) == WRITERS * EVENTS:
                    break
        if restless:
            await asyncio.sleep(restless.choice([0, 0.001, 0.05]))
    return seen


async def test_every_subscriber_sees_every_event_once_in_one_order(
    session_factory: SessionFactory, feed: Feed, bell: HandBell, topic: str
) -> None:
    async with session_factory() as session:
        start = CODEC.of_position(await eventlog.current_position(session, topic))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        subscribers = [
            group.create_task(subscribe(feed, topic, start, restless=restless))
            for number in range(SUBSCRIBERS)
            for restless in [random.Random(number) if number % 2 else None]
        ]
        for writer in range(WRITERS):
            group.create_task(write(session_factory, bell, topic, writer))
    expected = sorted(writer * 1000 + n for writer in range(WRITERS) for n in range(EVENTS))
    orders = [task.result() for task in subscribers]
    assert sorted(orders[0]) == expected
    assert all(order == orders[0] for order in orders)
