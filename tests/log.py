"""Reading the event log in tests, where other transactions of the same cluster may be open for a moment."""

from __future__ import annotations

import asyncio

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain import eventlog

PATIENCE_SECONDS = 30


async def settled_after(
    session: AsyncSession, topic: str, after: eventlog.Position, limit: int = eventlog.BATCH
) -> eventlog.Batch:
    """What `eventlog.read_after` answers once nothing that was committed waits behind an open transaction."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (batch := await eventlog.read_after(session, topic, after, limit)).unsettled:
            await asyncio.sleep(0.005)
    return batch


_HIDDEN = "select exists (select from event_log where xid >= pg_snapshot_xmin(pg_current_snapshot()))"


async def settled(session: AsyncSession) -> None:
    """The same, of a session that has nothing open."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await session.execute(text(_HIDDEN))).scalar_one():
            await session.rollback()
            await asyncio.sleep(0.005)


async def until_settled(database_url: str) -> None:
    """Waits until nothing that was committed, in any topic, is hidden by an open transaction of the cluster."""
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection,
    ):
        while (await (await connection.execute(_HIDDEN)).fetchone()) != (False,):
            await asyncio.sleep(0.005)
