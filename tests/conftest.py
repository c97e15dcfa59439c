"""What tests share: databases, a clock that stands still, people."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from pydantic_ai import models
from sqlalchemy import Dialect, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from app import database
from app.settings import Settings
from tests.databases import Databases, server_url

models.ALLOW_MODEL_REQUESTS = False
pytest_plugins = ["tests.live"]
#: roughly how many times longer a test takes that asks for this than one that asks for nothing
_LENGTHS = {"serve": 500, "page": 200, "live_server": 50, "probe_server": 10, "database_url": 10}
_MOST_PROCESSES = 8
#: of a service that all test processes share
_CONNECTIONS_EACH = 50


def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`: a test waits for other processes half of its time, so two cores have four at hand."""
    cores = os.cpu_count() or 1
    processes = max(cores, min(2 * cores, _MOST_PROCESSES))
    if service := os.environ.get("NIMROD_TEST_DATABASE_URL"):
        with psycopg.connect(service) as connection:
            (most,) = connection.execute("select current_setting('max_connections')::int").fetchone() or (0,)
        processes = max(1, min(processes, most // _CONNECTIONS_EACH))
    return processes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: no test process is left alone with one of them in the end."""
    lengths = Counter[str]()
    for item in items:
        lengths[item.nodeid.partition("::")[0]] += max(_LENGTHS.get(name, 1) for name in ("", *getattr(item, "fixturenames", ())))
    items.sort(key=lambda item: -lengths[item.nodeid.partition("::")[0]])


def pytest_collection_finish() -> None:
    """What is imported by now stays: looking through it for garbage again and again costs a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


class FixedClock:
    """A clock that only a test moves. Saturday morning in Berlin, far from both DST nights."""

    def __init__(self) -> None:
        self.instant = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def advance(self, **duration: float) -> None:
        self.instant += timedelta(**duration)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    made = Databases(server_url())
    yield made
    made.drop_all()


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A migrated database without rows, for this test alone."""
    url = databases.lend(databases.template("empty", database.migrate))
    yield url
    databases.take_back(url)


#: a machine that runs the whole suite at once is slower than the limit for people
PATIENT = Settings(database_timeout_seconds=60)


@pytest.fixture(scope="session")
def engine(databases: Databases) -> AsyncEngine:
    """One for all tests of this process, as what it has compiled serves the next; `session_factory` says where it leads."""
    return database.create_engine_for(PATIENT, databases.server)


@pytest.fixture
async def session_factory(database_url: str, engine: AsyncEngine) -> AsyncIterator[database.SessionFactory]:
    def lead(dialect: Dialect, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
        parameters.update(dialect.create_connect_args(make_url(database.with_driver(database_url, "asyncpg")))[1])

    event.listen(engine.sync_engine, "do_connect", lead)
    yield database.sessions_of(engine)
    await engine.dispose()
    event.remove(engine.sync_engine, "do_connect", lead)
