"""Streams: following a topic of the event log, live, without gaps.

One reader per process and topic fetches what is new and hands it to everybody who follows. Who follows notes where
the log stands, joins a reader that starts there or earlier, then reads the log from the own position, then goes on with
what the reader hands over: nothing is lost between the two, and what both bring is skipped. Who cannot keep up falls
back to reading the log alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import NoReturn

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from domain import errors, eventlog, ports
from resolvers import transactions
from resolvers.readers import Readers

logger = logging.getLogger(__name__)

#: events waiting for one follower; beyond it the follower reads the log by itself again
QUEUE_LIMIT = 1000
#: how often a topic is looked at although no bell rang
POLL_SECONDS = 5.0
#: first and longest pause while an open transaction hides events
UNSETTLED_SECONDS = (0.002, 0.1)
#: first and longest pause after a failed read
RETRY_SECONDS = (0.05, 2.0)


@dataclass(frozen=True, slots=True)
class Resync:
    """A gap: the cursor comes from before a restore, or the history behind it is gone."""

    #: where the stream goes on from: what lies before is in the object, if that is read now
    position: eventlog.Position


@dataclass(slots=True)
class Place:
    """Where a followed topic is, for a transport that shares what it carries."""

    #: True: read the log to its end and stop there, instead of going on live
    is_replay: bool = False
    #: go on behind this position, whatever the field was asked for
    after: eventlog.Position | None = None
    #: where the stream begins
    start: eventlog.Position | None = None
    #: of the item that was handed out last; at first the start
    position: eventlog.Position | None = None
    #: set once the start is known and nothing behind it can be missed
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    #: True when a replay has come to the end of the log
    is_at_end: bool = False
    #: True when something was missing on the way
    has_gap: bool = False

    def begin(self, start: eventlog.Position) -> eventlog.Position:
        self.start = self.position = start
        self.begun.set()
        return start


class Follower:
    """The place of one subscription: a bounded queue and a bell."""

    __slots__ = ("_bell", "lagging", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[eventlog.Event | Resync] = deque()
        self.lagging = False
        self._bell = asyncio.Event()

    def give(self, item: eventlog.Event | Resync) -> None:
        if len(self.waiting) >= QUEUE_LIMIT:
            self.waiting.clear()
            self.lagging = True
        if not self.lagging:
            self.waiting.append(item)
        self._bell.set()

    async def wait(self) -> None:
        await self._bell.wait()
        self._bell.clear()


class Channel:
    """One topic in this process: its reader and its followers."""

    def __init__(self, topic: str, readers: Readers, position: eventlog.Position) -> None:
        self.topic = topic
        self.followers: set[Follower] = set()
        self._readers = readers
        self._bell = asyncio.Event()
        self._position = position
        self._retry_pause = RETRY_SECONDS[0]
        self.task = asyncio.create_task(self._read_forever(), name=f"reader of {topic}")

    def ring(self) -> None:
        self._bell.set()

    async def _read_forever(self) -> None:
        while True:
            try:
                await self._read_until_failure()
            except asyncio.CancelledError as error:
                if self.task.cancelling():
                    raise
                await self._pause(error)  # a driver gave up: nobody asked this reader to end
            except Exception as error:  # whatever the database throws: followers wait, the reader tries again
                await self._pause(error)

    async def _pause(self, error: BaseException) -> None:
        logger.warning("reader failed", extra={"topic": self.topic, "error": repr(error)})
        await asyncio.sleep(self._retry_pause)
        self._retry_pause = min(self._retry_pause * 2, RETRY_SECONDS[1])

    async def _read_until_failure(self) -> NoReturn:
        unsettled_pause = UNSETTLED_SECONDS[0]
        while True:
            self._bell.clear()
            batch = await self._read()
            self._retry_pause = RETRY_SECONDS[0]
            if batch.gap is not None or len(batch.events) == eventlog.BATCH:
                continue
            if batch.unsettled:
                await asyncio.sleep(unsettled_pause)
                unsettled_pause = min(unsettled_pause * 2, UNSETTLED_SECONDS[1])
                continue
            unsettled_pause = UNSETTLED_SECONDS[0]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._bell.wait()

    async def _read(self) -> eventlog.Batch:
        async with self._readers.connection() as connection:
            batch = await eventlog.read_after(connection, self.topic, self._position)
        if batch.gap is not None:
            self._position = batch.gap
            self._hand_out(Resync(batch.gap))
        for event in batch.events:
            self._hand_out(event)
        if batch.events:
            self._position = batch.events[-1].position
        return batch

    def _hand_out(self, item: eventlog.Event | Resync) -> None:
        for follower in self.followers:
            follower.give(item)


class Feed:
    """All topics that somebody in this process follows."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], doorbell: ports.Doorbell) -> None:
        self._sessions = sessions
        self._readers = Readers(sessions)
        self._doorbell = doorbell
        self._channels: dict[str, Channel] = {}
        self._listener: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._listener = asyncio.create_task(self._listen(), name="doorbell")

    async def stop(self) -> None:
        tasks = [channel.task for channel in self._channels.values()]
        if self._listener is not None:
            tasks.append(self._listener)
        self._channels.clear()  # before the readers end: nobody joins one that is about to
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._readers.close()

    async def _listen(self) -> None:
        pause = RETRY_SECONDS[0]
        while True:
            try:
                async for topic in self._doorbell.rings():
                    pause = RETRY_SECONDS[0]
                    self._ring(topic)
                logger.warning("doorbell ended")
            except Exception as error:  # whatever a broker throws: followers look by themselves meanwhile
                logger.warning("doorbell failed", extra={"error": repr(error)})
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_SECONDS[1])
            self._ring("")

    def _ring(self, topic: str) -> None:
        """Empty: every topic."""
        if not topic:
            for channel in self._channels.values():
                channel.ring()
        elif found := self._channels.get(topic):
            found.ring()

    def _join(self, topic: str, follower: Follower, now: eventlog.Position) -> None:
        channel = self._channels.get(topic)
        if channel is None:
            channel = self._channels[topic] = Channel(topic, self._readers, now)
        channel.followers.add(follower)

    def _leave(self, topic: str, follower: Follower) -> None:
        channel = self._channels.get(topic)
        if channel is None:
            return
        channel.followers.discard(follower)
        if not channel.followers:
            del self._channels[topic]
            channel.task.cancel()

    async def follow(
        self, topic: str, after: eventlog.Position | None, place: Place | None = None
    ) -> AsyncGenerator[eventlog.Event | Resync, None]:
        """Every event of the topic behind `after` (None: from now on), once, in order, until the caller closes it.

        `place` is kept up to date and may ask for less. Raises OutOfReach when the log cannot be read at the start.
        """
        if place is None:
            items = self._follow(topic, after, Place())
        elif place.is_replay:
            items = self._replay(topic, place.after or after, place)
        else:
            items = self._follow(topic, place.after or after, place)
        async with contextlib.aclosing(items):
            async for item in items:
                yield item

    async def _follow(
        self, topic: str, after: eventlog.Position | None, place: Place
    ) -> AsyncGenerator[eventlog.Event | Resync, None]:
        follower = Follower()
        now = await self._now(topic)
        self._join(topic, follower, now)
        try:
            position = place.begin(after or now)
            while True:
                async with contextlib.aclosing(self._log(topic, position)) as items:
                    async for item in items:
                        place.position = position = item.position
                        yield item
                while not follower.lagging:
                    while follower.waiting:
                        item = follower.waiting.popleft()
                        if item.position > position:
                            place.position = position = item.position
                            yield item
                    await follower.wait()
                follower.lagging = False
        finally:
            self._leave(topic, follower)

    async def _replay(
        self, topic: str, after: eventlog.Position | None, place: Place
    ) -> AsyncGenerator[eventlog.Event | Resync, None]:
        start = place.begin(after or await self._now(topic))
        async with contextlib.aclosing(self._log(topic, start)) as items:
            async for item in items:
                place.position = item.position
                place.has_gap |= isinstance(item, Resync)
                yield item
        place.is_at_end = True

    async def _log(self, topic: str, position: eventlog.Position) -> AsyncGenerator[eventlog.Event | Resync, None]:
        """What the log holds behind a position, up to its settled end."""
        while True:
            batch = await self._read(topic, position)
            if batch.gap is not None:
                position = batch.gap
                yield Resync(position)
                continue
            for event in batch.events:
                position = event.position
                yield event
            if len(batch.events) < eventlog.BATCH:
                return

    async def _now(self, topic: str) -> eventlog.Position:
        async with transactions.transaction(self._sessions) as session:
            return await eventlog.current_position(session, topic)

    async def _read(self, topic: str, after: eventlog.Position) -> eventlog.Batch:
        """A stream that has begun waits for a database that is away; what was not handed out is still behind `after`."""
        pause = RETRY_SECONDS[0]
        while True:
            try:
                async with transactions.transaction(self._sessions) as session:
                    return await eventlog.read_after(session, topic, after)
            except errors.OutOfReach as error:
                if pause == RETRY_SECONDS[0]:  # once: thousands may be waiting
                    logger.warning("reading alone failed", extra={"topic": topic, "error": repr(error.__cause__)})
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY_SECONDS[1])
