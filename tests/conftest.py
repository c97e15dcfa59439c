"""What tests share: databases, a clock that stands still, people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic_ai import models

from app import database
from app.settings import Settings
from tests.databases import Databases, server_url

models.ALLOW_MODEL_REQUESTS = False
pytest_plugins = ["tests.live"]


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
    url = databases.clone(databases.template("empty", database.migrate))
    yield url
    databases.drop(url)


@pytest.fixture
async def session_factory(database_url: str) -> AsyncIterator[database.SessionFactory]:
    async with database.opened(Settings(), database_url) as factory:
        yield factory
