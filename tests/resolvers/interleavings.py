"""Interleavings: appends, commits, sweeps and resumes in any order, and what must hold for every reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import uuid4

from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from domain import eventlog, history
from resolvers.streams import Feed, Place, Resync
from tests.log import settled_after
from tests.resolvers.doorbells import HandBell

START = eventlog.Position(1, 0, 0)
SLOW, TOPICS, READERS = (1, 2), (0, 1), (0, 1, 2)
POSITION = text("select xid::text::bigint, seq from event_log where topic = :topic and payload = cast(:payload as jsonb)")
LEFT = text("select (payload->>'n')::int from event_log where topic = :topic")

Act = tuple[str, *tuple[int, ...]]
acts = st.one_of(
    st.tuples(st.just("append"), st.sampled_from((0, 0, 1)), st.sampled_from((0, 0, *SLOW))),
    st.tuples(st.just("append"), st.just(0), st.sampled_from((0, *SLOW))),
    st.tuples(st.sampled_from(["commit", "commit", "roll_back"]), st.sampled_from(SLOW)),
    st.tuples(st.just("sweep"), st.integers(1, 4)),
    st.tuples(st.just("erase"), st.sampled_from(TOPICS)),
    st.tuples(st.just("resume"), st.sampled_from(READERS)),
    st.tuples(st.just("resume"), st.sampled_from(READERS)),
    st.tuples(st.just("begin_now"), st.sampled_from(READERS)),
)


@dataclass
class Reader:
    topic: str
    position: eventlog.Position = START
    #: (where it went on from, what it was given from there, what had been committed by then)
    stretches: list[tuple[eventlog.Position, list[int], set[int]]] = field(default_factory=lambda: [(START, [], set())])

    def begin(self, position: eventlog.Position, committed: set[int]) -> None:
        self.position = position
        self.stretches.append((position, [], set(committed)))

    def take(self, item: eventlog.Event | Resync, committed: set[int]) -> None:
        assert item.position > self.position, "in order, and once"
        if isinstance(item, Resync):
            self.begin(item.position, committed)
        else:
            self.position = item.position
            self.stretches[-1][1].append(item.payload["n"])


class World:
    """Two topics, two slow transactions, three readers that come and go, and one that stays."""

    def __init__(self, sessions: SessionFactory, feed: Feed, bell: HandBell) -> None:
        self.sessions, self.feed, self.bell = sessions, feed, bell
        self.topic_class = f"t{uuid4().hex}"
        self.topics = [f"{self.topic_class}:{number}" for number in TOPICS]
        self.readers = [Reader(self.topics[number % 2]) for number in READERS]
        self.staying = Reader(self.topics[0])
        self.slow: dict[int, AsyncSession] = {}
        self.open: dict[int, dict[int, eventlog.Position]] = {}
        self.written: dict[str, dict[int, eventlog.Position]] = {topic: {} for topic in self.topics}
        self.committed: set[int] = set()
        self.erased: set[str] = set()
        self._numbers = iter(range(10_000))

    async def append(self, topic: int, slot: int) -> int:
        number, name = next(self._numbers), self.topics[topic]
        if slot == 0:
            async with self.sessions.begin() as session:
                self.written[name][number] = await self._write(session, name, number)
                self.committed.add(number)  # before the reader that stays may see that it is
            await self.bell.ring([name])
        else:
            session = self.slow.setdefault(slot, self.sessions())
            self.written[name][number] = await self._write(session, name, number)
            self.open.setdefault(slot, {})[number] = self.written[name][number]
        return number

    async def _write(self, session: AsyncSession, topic: str, number: int) -> eventlog.Position:
        await eventlog.append(session, topic, "counted", {"n": number})
        xid, seq = (await session.execute(POSITION, {"topic": topic, "payload": f'{{"n": {number}}}'})).one()
        return eventlog.Position(1, xid, seq)

    async def commit(self, slot: int) -> None:
        if session := self.slow.pop(slot, None):
            self.committed |= set(self.open.pop(slot))
            await session.commit()
            await session.close()
            await self.bell.ring(self.topics)

    async def roll_back(self, slot: int) -> None:
        if session := self.slow.pop(slot, None):
            await session.close()
            for number in self.open.pop(slot):
                for written in self.written.values():
                    written.pop(number, None)

    async def sweep(self, limit: int) -> None:
        async with self.sessions.begin() as session:
            before = datetime.now(UTC) + timedelta(days=1)
            await history.forget_events(session, self.topic_class, before=before, limit=limit)

    async def erase(self, topic: int) -> None:
        async with self.sessions.begin() as session:
            await history.erase_topic(session, self.topics[topic])
        self.erased.add(self.topics[topic])

    async def resume(self, number: int) -> None:
        reader = self.readers[number]
        before = reader.position
        async with aclosing(self.feed.follow(reader.topic, before, Place(is_replay=True))) as items:
            async for item in items:
                if isinstance(item, Resync):
                    assert await self._missed(reader.topic, before), "no gap without a loss"
                reader.take(item, self.committed)
                before = reader.position

    async def _missed(self, topic: str, after: eventlog.Position) -> set[int]:
        async with self.sessions() as session:
            left = set((await session.execute(LEFT, {"topic": topic})).scalars())
        return {number for number, at in self.written[topic].items() if at > after and number in self.committed - left}

    async def begin_now(self, number: int) -> None:
        """As with the cursor of an object that was just read: it is one that the disk has."""
        topic = self.readers[number].topic
        async with self.sessions() as session:
            position = await eventlog.current_position(session, topic)
        durable = {at for number, at in self.written[topic].items() if number in self.committed}
        assert position in {START, *durable}, "no transaction's number that a crash may forget"
        self.readers[number].begin(position, self.committed)

    async def stay(self) -> None:
        async with aclosing(self.feed.follow(self.staying.topic, START)) as items:
            async for item in items:
                self.staying.take(item, self.committed)

    def check(self, reader: Reader) -> None:
        written = sorted(self.written[reader.topic].items(), key=lambda each: each[1])
        ends = [start for start, _, _ in reader.stretches[1:]]
        for (start, seen, committed), end in zip(reader.stretches, [*ends, None], strict=True):
            behind = [number for number, at in written if at > start]
            # The last stretch goes to the end of the log; others were left for another place, with no hole before.
            assert seen == (behind if end is None else behind[: len(seen)])
            if start != START:
                below = {number for number, at in written if at <= start}
                assert below <= committed, "what lies before was there to be read"
        # An erasure that is not settled yet hides the horizon of before it.
        hidden = {START} if reader.topic in self.erased else set()
        assert all(one <= other for one, other in pairwise(ends) if other not in hidden), "never back"


@asynccontextmanager
async def world(sessions: SessionFactory) -> AsyncIterator[World]:
    bell = HandBell()
    feed = Feed(sessions, bell)
    feed.start()
    made = World(sessions, feed, bell)
    staying = asyncio.create_task(made.stay())
    try:
        yield made
    finally:
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)
        await feed.stop()
        async with AsyncExitStack() as stack:
            for session in made.slow.values():
                stack.push_async_callback(session.close)


async def hold(session_factory: SessionFactory, given_acts: list[Act]) -> None:
    """Acts upon a world of their own, after which every reader has every event once in order, or the gap before it."""
    async with asyncio.timeout(60), world(session_factory) as made:
        for act, *how in given_acts:
            await getattr(made, act)(*how)
        for slot in SLOW:
            await made.commit(slot)
        last = [await made.append(topic, 0) for topic in TOPICS]
        async with session_factory() as session:
            for topic in made.topics:
                await settled_after(session, topic, await eventlog.current_position(session, topic))
        for number in READERS:
            await made.resume(number)
            made.check(made.readers[number])
        await made.bell.ring(made.topics)
        while made.staying.position < made.written[made.topics[0]][last[0]]:
            await asyncio.sleep(0.002)
        made.check(made.staying)
