"""Reading the event log in tests, where other transactions of the same cluster may be open for a moment."""

from __future__ import annotations

import asyncio

from sqlalchemy.ext.asyncio import AsyncSession

from domain import eventlog

PATIENCE_SECONDS = 10


async def settled_after(
    session: AsyncSession, topic: str, after: eventlog.Position, limit: int = eventlog.BATCH
) -> eventlog.Batch:
    """What `eventlog.read_after` answers once nothing that was committed waits behind an open transaction."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (batch := await eventlog.read_after(session, topic, after, limit)).unsettled:
            await asyncio.sleep(0.005)
    return batch
