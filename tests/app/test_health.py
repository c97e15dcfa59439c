"""Health: alive, and ready with every part by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import psycopg
import pytest

from app import database, health
from app.doorbell import Doorbell
from app.settings import Settings
from tests.journeys import waiting
from tests.journeys.clients import Api
from tests.live import Launcher, LiveServer

PARTS = {"database", "eventLog", "broadcaster", "worker", "models"}


@pytest.fixture
async def healthy(session_factory: database.SessionFactory, database_url: str) -> AsyncIterator[health.Health]:
    """Everything but a worker."""
    doorbell = Doorbell.at(None, database_url)
    await doorbell.open()
    await waiting.until(lambda: doorbell.is_listening)
    yield health.Health(session_factory, doorbell, models=["offline"])
    await doorbell.close()


def _register(database_url: str, *, seconds_ago: float) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into procrastinate_workers (last_heartbeat) values (clock_timestamp() - make_interval(secs => %s))",
            (seconds_ago,),
        )


async def _get(server: LiveServer, path: str) -> httpx.Response:
    return await Api(server.graphql_url).http.get(f"{server.url}{path}")


async def _failing(of: health.Health) -> dict[str, str]:
    is_ready, parts = await of.ready()
    assert set(parts) == PARTS
    failing = {name: part["reason"] for name, part in parts.items() if not part["ok"]}
    assert is_ready is (not failing)
    return failing


async def test_a_live_server_is_ready_in_every_part(live_server: LiveServer) -> None:
    answer = await _get(live_server, "/health/ready")
    parts = answer.json()["parts"]
    assert (answer.status_code, answer.json()["ok"], set(parts)) == (200, True, PARTS)
    assert all(part["ok"] for part in parts.values())
    assert parts["models"]["models"] == ["offline"]
    assert parts["worker"]["alive"] >= 1
    assert 0 <= parts["eventLog"]["lagSeconds"] < 60
    assert answer.headers["cache-control"] == "no-store"
    assert (await _get(live_server, "/health")).json() == {"ok": True}


async def test_without_a_living_worker_the_worker_is_named(healthy: health.Health, database_url: str) -> None:
    assert set(await _failing(healthy)) == {"worker"}
    _register(database_url, seconds_ago=60)
    assert set(await _failing(healthy)) == {"worker"}, "a worker that was silent for a minute is dead"
    _register(database_url, seconds_ago=1)
    assert await _failing(healthy) == {}


async def test_a_server_without_a_worker_answers_503_until_one_comes(demo_database: str, serve: Launcher) -> None:
    server = serve(demo_database, "--no-worker")
    answer = await _get(server, "/health/ready")
    failing = [name for name, part in answer.json()["parts"].items() if not part["ok"]]
    assert (answer.status_code, failing) == (503, ["worker"])
    assert (await _get(server, "/health")).status_code == 200
    serve(demo_database, command="work")
    await waiting.until(lambda: server.answers("/health/ready"))


async def test_a_doorbell_that_is_not_listening_is_named(healthy: health.Health, database_url: str) -> None:
    _register(database_url, seconds_ago=0)
    healthy.doorbell = Doorbell.at(None, "postgresql://nobody@127.0.0.1:1/nothing")
    assert set(await _failing(healthy)) == {"broadcaster"}


async def test_models_that_could_not_be_set_up_are_named_with_the_reason(healthy: health.Health, database_url: str) -> None:
    _register(database_url, seconds_ago=0)
    healthy.models_error = "NIMROD_MODELS names 'x', which cannot be used"
    assert await _failing(healthy) == {"models": healthy.models_error}


async def test_a_database_that_is_away_is_named_without_its_internals(healthy: health.Health) -> None:
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/nothing"
    async with database.opened(Settings(), nowhere) as sessions:
        healthy.sessions = sessions
        failing = await _failing(healthy)
    assert set(failing) == {"database", "eventLog", "worker"}
    assert not any("secret" in reason or "127.0.0.1" in reason for reason in failing.values())


async def test_an_open_transaction_shows_as_the_lag_of_the_log(healthy: health.Health, database_url: str) -> None:
    append = "insert into event_log (topic, kind, version, payload, at) values ('t', 'k', 1, '{}', now() - interval '9 s')"
    with psycopg.connect(database_url) as slow, psycopg.connect(database_url, autocommit=True) as quick:
        slow.execute("select pg_current_xact_id()")
        quick.execute(append)
        _, parts = await healthy.ready()
        assert parts["eventLog"]["lagSeconds"] >= 9
        slow.rollback()
    async with asyncio.timeout(30):  # other tests may have a transaction open in the same cluster
        while parts["eventLog"]["lagSeconds"] > 0:
            _, parts = await healthy.ready()


async def test_a_part_that_hangs_is_given_up_after_two_seconds(healthy: health.Health) -> None:
    def hang() -> Any:
        return _Hanging()

    healthy.sessions = hang  # type: ignore[assignment]
    started = asyncio.get_running_loop().time()
    failing = await _failing(healthy)
    assert asyncio.get_running_loop().time() - started < health.CHECK_SECONDS + 1
    assert failing["database"] == "no answer within 2 s"


class _Hanging:
    async def __aenter__(self) -> None:
        await asyncio.Event().wait()

    async def __aexit__(self, *_: object) -> None: ...
