"""The pool gives out connections that live, as far as this side can know."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from sqlalchemy import exc, text

from app import database
from app.database import SessionFactory
from app.settings import Settings
from domain import eventlog
from resolvers import transactions

POOLED = 4
CUT = (
    "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity"
    " where datname = current_database() and application_name = 'nimrod' and backend_type = 'client backend'"
)


async def _fill(sessions: SessionFactory) -> list[Any]:
    """As many connections in the pool as it keeps: the driver's."""
    opened = [sessions() for _ in range(POOLED)]
    connections = await asyncio.gather(*(session.connection() for session in opened))
    found = [(await one.get_raw_connection()).driver_connection for one in connections]
    await asyncio.gather(*(session.close() for session in opened))
    return found


async def _cut(url: str, pooled: list[Any]) -> None:
    with psycopg.connect(url, autocommit=True) as other:
        assert other.execute(CUT).fetchone() == (POOLED,)
    async with asyncio.timeout(30):
        while not all(one.is_closed() for one in pooled):
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("kind", ["statement", "log"])
async def test_connections_that_died_in_the_pool_fail_nobody(database_url: str, kind: str) -> None:
    async with database.opened(Settings(database_pool_size=POOLED), database_url) as sessions:
        await _cut(database_url, await _fill(sessions))
        for _ in range(POOLED):
            async with transactions.transaction(sessions) as session:
                if kind == "statement":
                    await session.execute(text("select 1"))
                else:
                    await eventlog.read_after(session, "dispatch:none", eventlog.Position(1, 0, 0))


async def test_what_is_logged_of_a_failed_statement_names_nobody(database_url: str) -> None:
    async with database.opened(Settings(), database_url) as sessions, sessions() as session:
        with pytest.raises(exc.DBAPIError) as raised:
            await session.execute(text("select 1 / (length(:email) - 15)"), {"email": "ada@example.org"})
    assert "ada@" not in str(raised.value)
