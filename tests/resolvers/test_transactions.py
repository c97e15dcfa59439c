"""A transaction tells a database that is away from everything else that may go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest
from sqlalchemy import exc, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi

from app import database
from app.database import SessionFactory
from app.settings import Settings
from domain import errors
from resolvers import transactions
from tests.journeys.gate import Gate

Dbapi = AsyncAdapt_asyncpg_dbapi


@pytest.fixture
def gate(database_url: str) -> Iterator[Gate]:
    gate = Gate(database_url).open()
    yield gate
    gate.close()


def _failed(kind: type[Exception], cause: Exception) -> exc.DBAPIError:
    return exc.DBAPIError("select", {}, kind(str(cause), cause))


@pytest.mark.parametrize(
    "error",
    [
        _failed(Dbapi.Error, asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")),
        _failed(Dbapi.Error, asyncpg.ConnectionFailureError("reset")),
        _failed(Dbapi.Error, asyncpg.AdminShutdownError("terminating")),
        _failed(Dbapi.InternalClientError, asyncpg.InternalClientError("unknown protocol state")),
        _failed(Dbapi.InterfaceError, asyncpg.InterfaceError("connection is closed")),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(getattr(error, "orig", error)).__name__,
)
async def test_a_connection_that_is_lost_is_an_outage(session_factory: SessionFactory, error: BaseException) -> None:
    with pytest.raises(errors.OutOfReach):
        async with transactions.transaction(session_factory):
            raise error


async def test_a_value_that_no_column_takes_is_no_outage(session_factory: SessionFactory) -> None:
    with pytest.raises(exc.DBAPIError):
        async with transactions.transaction(session_factory) as session:
            await session.execute(text("select cast(:n as integer)"), {"n": 2**40})


async def test_a_statement_that_is_wrong_is_no_outage(session_factory: SessionFactory) -> None:
    with pytest.raises(exc.DBAPIError):
        async with transactions.transaction(session_factory) as session:
            await session.execute(text("select nothing from nowhere"))


async def test_of_two_who_wait_for_each_other_one_is_to_try_again(session_factory: SessionFactory) -> None:
    both = asyncio.Barrier(2)

    async def work(*turns: int) -> None:
        async with transactions.transaction(session_factory) as session:
            await session.execute(text("set local deadlock_timeout = '10ms'"))
            for turn in turns:
                await session.execute(text("select pg_advisory_xact_lock(:turn)"), {"turn": turn})
                if turn == turns[0]:
                    await both.wait()

    found = await asyncio.gather(work(1, 2), work(2, 1), return_exceptions=True)
    (refused,) = [one for one in found if one is not None]
    assert isinstance(refused, errors.OutOfReach)
    assert "at the same time" in str(refused)


async def test_who_is_told_to_end_ends(session_factory: SessionFactory) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with transactions.transaction(session_factory):
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_connections_that_are_cut_in_the_middle_are_an_outage(gate: Gate) -> None:
    async with database.opened(Settings(database_pool_size=4), gate.url) as sessions:

        async def work() -> None:
            async with transactions.transaction(sessions) as session:
                await session.execute(text("select pg_sleep(20)"))

        for seconds in (0.0, 0.01, 0.1):  # while they connect, begin, wait for the answer
            working = [asyncio.create_task(work()) for _ in range(4)]
            await asyncio.sleep(seconds)
            await asyncio.to_thread(gate.shut)
            found = await asyncio.gather(*working, return_exceptions=True)
            assert {type(one) for one in found} == {errors.OutOfReach}
            await asyncio.to_thread(gate.reopen)


async def test_a_backend_that_is_terminated_is_an_outage(session_factory: SessionFactory, database_url: str) -> None:
    async def work() -> None:
        async with transactions.transaction(session_factory) as session:
            pid = (await session.execute(text("select pg_backend_pid()"))).scalar_one()
            with psycopg.connect(database_url, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s, 5000)", [pid])
            await session.execute(text("select 1"))

    with pytest.raises(errors.OutOfReach):
        await work()
