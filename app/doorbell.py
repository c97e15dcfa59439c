"""The doorbell between processes: broadcaster, behind backends that come back by themselves.

It says "look at the log" and never carries data. Whatever happens to the connection behind it, the next thing that is
heard after it is back is an empty topic: look at everything.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence

import asyncpg
from broadcaster import Broadcast
from broadcaster._backends.base import BroadcastBackend
from broadcaster._base import Event

logger = logging.getLogger(__name__)

CHANNEL = "nimrod_doorbell"
EVERYTHING = ""
QUEUE_LIMIT = 10_000
PROBE_SECONDS = 15.0
#: first and longest pause before connecting again
RETRY_SECONDS = (0.1, 5.0)


class SupervisedBackend(BroadcastBackend):
    """A broadcaster backend with one channel, a bounded queue, and a connection that is made again when lost."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[str] = asyncio.Queue(QUEUE_LIMIT)
        self._task: asyncio.Task[None] | None = None
        self.is_listening = False

    @abstractmethod
    async def _listen(self) -> None:
        """Connects, calls `_connected`, hears until the connection is lost; then returns or raises."""

    async def connect(self) -> None:
        self._task = asyncio.create_task(self._supervise(), name="doorbell connection")

    async def disconnect(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def subscribe(self, channel: str) -> None:
        """There is one channel; topics travel in the message."""

    async def unsubscribe(self, channel: str) -> None:
        """As above."""

    async def next_published(self) -> Event:
        return Event(CHANNEL, await self._heard.get())

    def _hear(self, topic: str) -> None:
        try:
            self._heard.put_nowait(topic)
        except asyncio.QueueFull:
            while not self._heard.empty():
                self._heard.get_nowait()
            self._heard.put_nowait(EVERYTHING)

    def _connected(self) -> None:
        self.is_listening = True
        self._hear(EVERYTHING)

    async def _supervise(self) -> None:
        pause = RETRY_SECONDS[0]
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                logger.warning("doorbell lost", extra={"error": repr(error)})
            pause = RETRY_SECONDS[0] if self.is_listening else min(pause * 2, RETRY_SECONDS[1])
            self.is_listening = False
            await asyncio.sleep(pause)


class MemoryBackend(SupervisedBackend):
    """For a process that is alone."""

    async def _listen(self) -> None:
        self._connected()
        await asyncio.Event().wait()

    async def publish(self, channel: str, message: str) -> None:  # noqa: ARG002 -- one channel
        self._hear(message)


class PostgresBackend(SupervisedBackend):
    """LISTEN on a connection of its own. A trigger on the log rings with the commit, so publishing is nothing to do."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    async def publish(self, channel: str, message: str) -> None:
        """The trigger has rung."""

    async def _listen(self) -> None:
        connection = await asyncpg.connect(self._url, timeout=5, server_settings={"application_name": "nimrod doorbell"})
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, lambda *heard: self._hear(heard[3]))
            self._connected()
            while not lost.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PROBE_SECONDS):
                        await lost.wait()
                if not lost.is_set():
                    await connection.execute("select 1", timeout=5)
        finally:
            with contextlib.suppress(Exception):
                await connection.close(timeout=1)


class RedisBackend(SupervisedBackend):
    """Redis pub/sub, for deployments where NOTIFY at every commit costs too much."""

    def __init__(self, url: str) -> None:
        super().__init__()
        # Here, so that only who has a Redis loads its library.
        from redis import asyncio as redis
        from redis.exceptions import RedisError

        self._client = redis.from_url(url, socket_timeout=5, socket_connect_timeout=5)
        self._failure = RedisError

    async def publish(self, channel: str, message: str) -> None:
        with self._told_as_lost():
            await self._client.publish(channel, message)

    async def disconnect(self) -> None:
        await super().disconnect()
        await self._client.aclose()

    async def _listen(self) -> None:
        with self._told_as_lost():
            await self._follow()

    async def _follow(self) -> None:
        async with self._client.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            self._connected()
            while True:
                message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=PROBE_SECONDS / 5)
                if message is not None:
                    self._hear(message["data"].decode())

    @contextlib.contextmanager
    def _told_as_lost(self) -> Iterator[None]:
        try:
            yield
        except self._failure as error:
            raise ConnectionError(repr(error)) from error


class Doorbell:
    """ports.Doorbell over broadcaster."""

    def __init__(self, backend: SupervisedBackend) -> None:
        self._backend = backend
        self._broadcast = Broadcast(backend=backend)
        self._is_open = False

    @classmethod
    def at(cls, doorbell_url: str | None, database_url: str) -> Doorbell:
        """`redis://…`, `memory://`, or None for the database's NOTIFY."""
        if doorbell_url is None:
            return cls(PostgresBackend(database_url))
        if doorbell_url.startswith("memory:"):
            return cls(MemoryBackend())
        return cls(RedisBackend(doorbell_url))

    @property
    def is_listening(self) -> bool:
        return self._backend.is_listening

    async def open(self) -> None:
        await self._broadcast.connect()
        self._is_open = True

    async def close(self) -> None:
        """Again it does nothing; the library would raise its own cancellation."""
        if self._is_open:
            self._is_open = False
            await self._broadcast.disconnect()

    async def ring(self, topics: Sequence[str]) -> None:
        """Best effort: a bell that nobody hears only costs time, followers look by themselves every few seconds."""
        for topic in topics:
            try:
                async with asyncio.timeout(2):
                    await self._broadcast.publish(CHANNEL, topic)
            except (OSError, TimeoutError) as error:
                logger.warning("doorbell not rung", extra={"topic": topic, "error": repr(error)})

    async def rings(self) -> AsyncIterator[str]:
        async with self._broadcast.subscribe(CHANNEL) as subscriber:
            async for event in subscriber:  # type: ignore[union-attr]
                if event is not None:
                    yield event.message
