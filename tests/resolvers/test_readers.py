"""Readers: a connection is kept for the next read, unless it failed."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import exc, text

from app.database import SessionFactory
from resolvers import readers
from resolvers.readers import Readers

PID = text("select pg_backend_pid()")


@pytest.fixture
async def kept(session_factory: SessionFactory) -> Readers:
    return Readers(session_factory)


async def backend(kept: Readers) -> int:
    async with kept.connection() as connection:
        pid: int = (await connection.execute(PID)).scalar_one()
    return pid


async def test_the_same_connection_reads_again(kept: Readers) -> None:
    assert await backend(kept) == await backend(kept)
    await kept.close()


async def test_readers_beside_each_other_have_their_own_and_only_some_are_kept(
    kept: Readers, session_factory: SessionFactory
) -> None:
    gate = asyncio.Barrier(4)

    async def one() -> int:
        async with kept.connection() as connection:
            pid: int = (await connection.execute(PID)).scalar_one()
            await gate.wait()
        return pid

    assert len(set(await asyncio.gather(*(one() for _ in range(4))))) == 4
    pool = session_factory.kw["bind"].pool
    assert pool.checkedout() == readers.KEPT
    await kept.close()
    assert pool.checkedout() == 0


async def test_a_connection_that_failed_is_not_used_again(kept: Readers) -> None:
    before = await backend(kept)
    with pytest.raises(exc.DBAPIError):
        async with kept.connection() as connection:
            await connection.execute(text("select pg_terminate_backend(pg_backend_pid())"))
    assert await backend(kept) != before
    await kept.close()
