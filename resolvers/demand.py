"""Notes of demand that was not met: written beside the searches, which neither wait for them nor fail with them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from domain import demand
from domain.values import LatLng, VehicleType
from resolvers import transactions

logger = logging.getLogger(__name__)
#: notes of a process that may be on their way at once: they must not take the connections that requests wait for
MAX_WAITING = 2
SECONDS = 1.0


class Notes:
    """What a process is writing down. A note that finds no room, or takes too long, is logged and lost."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Task[None]] = set()

    def note(
        self,
        sessions: async_sessionmaker[AsyncSession],
        metro_id: UUID,
        near: LatLng,
        types: Collection[VehicleType],
        now: datetime,
    ) -> None:
        """Counts a search without a result, in a transaction of its own, soon."""
        if len(self._waiting) >= MAX_WAITING:
            logger.warning("a search without a result was not counted: too many at once")
            return
        task = asyncio.get_running_loop().create_task(_write(sessions, metro_id, near, types, now))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def settle(self) -> None:
        """Until all that was noted is written or lost."""
        await asyncio.gather(*self._waiting)


async def _write(
    sessions: async_sessionmaker[AsyncSession], metro_id: UUID, near: LatLng, types: Collection[VehicleType], now: datetime
) -> None:
    try:
        async with asyncio.timeout(SECONDS), transactions.transaction(sessions) as session:
            await demand.count_unmet(session, metro_id, near, types, now=now)
    except Exception:
        logger.warning("a search without a result was not counted", exc_info=True)
