"""The doorbell: what is rung is heard, and after every silence it says to look at everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from app import database, doorbell
from app.doorbell import EVERYTHING, Doorbell
from app.settings import Settings
from domain import eventlog
from tests.journeys.gate import Gate

TERMINATE = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity where"
    " application_name = 'nimrod doorbell' and datname = current_database()"
)


class Heard:
    """Topics in the order they were heard."""

    def __init__(self, bell: Doorbell) -> None:
        self._topics: asyncio.Queue[str] = asyncio.Queue()
        self._task = asyncio.create_task(self._listen(bell))

    async def _listen(self, bell: Doorbell) -> None:
        async for topic in bell.rings():
            self._topics.put_nowait(topic)

    async def next(self, seconds: float = 10) -> str:
        async with asyncio.timeout(seconds):
            return await self._topics.get()

    async def until(self, topic: str) -> list[str]:
        heard = []
        while (one := await self.next()) != topic:
            heard.append(one)
        return heard

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def listening(bell: Doorbell) -> AsyncIterator[Heard]:
    """Opened, and heard: the first thing said is to look at everything."""
    heard = Heard(bell)
    await asyncio.sleep(0)
    await bell.open()
    try:
        yield heard
    finally:
        await heard.stop()
        await bell.close()


async def _append(url: str, topic: str) -> None:
    async with database.opened(Settings(), url) as sessions, sessions.begin() as session:
        await eventlog.append(session, topic, "kind", {})


async def test_a_commit_that_adds_to_the_log_rings_through_the_database_itself(database_url: str) -> None:
    async with listening(Doorbell.at(None, database_url)) as heard:
        assert await heard.next() == EVERYTHING
        await _append(database_url, "chat:1")
        assert await heard.next() == "chat:1"


async def test_a_rollback_rings_nobody(database_url: str) -> None:
    async with listening(Doorbell.at(None, database_url)) as heard:
        assert await heard.next() == EVERYTHING
        async with database.opened(Settings(), database_url) as sessions, sessions() as session:
            await eventlog.append(session, "chat:dropped", "kind", {})
            await session.rollback()
        await _append(database_url, "chat:kept")
        assert await heard.next() == "chat:kept"


async def test_a_lost_connection_comes_back_and_says_to_look_at_everything(database_url: str) -> None:
    bell = Doorbell.at(None, database_url)
    async with listening(bell) as heard:
        assert await heard.next() == EVERYTHING
        for number in range(3):
            with psycopg.connect(database_url, autocommit=True) as connection:
                assert connection.execute(TERMINATE).fetchone() == (1,)
            await _append(database_url, "chat:unheard")
            assert EVERYTHING in [await heard.next()]
            assert bell.is_listening
            await _append(database_url, f"chat:{number}")
            assert set(await heard.until(f"chat:{number}")) <= {EVERYTHING, "chat:unheard"}


async def test_a_database_that_is_away_is_waited_for(database_url: str) -> None:
    gate = Gate(database_url).open()
    bell = Doorbell.at(None, gate.url)
    try:
        gate.shut()
        async with listening(bell) as heard:
            with pytest.raises(TimeoutError):
                await heard.next(0.5)
            assert not bell.is_listening
            gate.reopen()
            assert await heard.next() == EVERYTHING
            assert bell.is_listening
    finally:
        gate.close()


async def test_in_one_process_a_bell_needs_no_database() -> None:
    bell = Doorbell.at("memory://", "unused")
    async with listening(bell) as heard:
        assert await heard.next() == EVERYTHING
        await bell.ring(["a", "b"])
        assert [await heard.next(), await heard.next()] == ["a", "b"]


async def test_rings_that_nobody_takes_become_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "QUEUE_LIMIT", 3)
    backend = doorbell.MemoryBackend()
    for number in range(8):
        await backend.publish(doorbell.CHANNEL, str(number))
    assert (await backend.next_published()).message == EVERYTHING
    assert (await backend.next_published()).message == "7"


async def test_a_bell_that_cannot_be_rung_costs_nothing_but_time() -> None:
    bell = Doorbell.at("redis://127.0.0.1:1/0", "unused")
    async with listening(bell):
        async with asyncio.timeout(30):
            await bell.ring(["a"])
        assert not bell.is_listening


async def test_the_log_rings_a_bell_outside_the_database_after_the_commit(database_url: str) -> None:
    bell = Doorbell.at("memory://", database_url)
    settings = Settings(doorbell_url="memory://")
    async with listening(bell) as heard, database.opened(settings, database_url, bell) as sessions:
        assert await heard.next() == EVERYTHING
        async with sessions.begin() as session:
            await eventlog.append(session, "chat:1", "kind", {})
        assert await heard.next() == "chat:1"


async def test_it_may_be_closed_twice_and_before_it_was_opened() -> None:
    bell = Doorbell.at("memory://", "")
    await bell.close()
    async with listening(bell):
        await bell.close()
