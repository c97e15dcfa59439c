"""Duties: what one process does at a time, of all that share a database; when it is gone another takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import psycopg

#: how often who waits asks whether the duty is free, and who has it whether it is still its own
LOOK_SECONDS = 2.0


class Duty:
    """Held by a lock of the database that goes with the connection: a process that dies has it no longer."""

    def __init__(self, conninfo: str, name: str, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._conninfo = conninfo
        self._name = name
        self._look_seconds = look_seconds

    async def __call__(self, act: Callable[[], Awaitable[None]]) -> None:
        """Waits for the duty, then acts; the act is cancelled when the duty is lost. Raises what the database does."""
        async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            while not await self._take(connection):  # noqa: ASYNC110 it is another process that lets go
                await asyncio.sleep(self._look_seconds)
            acting = asyncio.ensure_future(act())
            try:
                while not (await asyncio.wait([acting], timeout=self._look_seconds))[0]:
                    await connection.execute("select 1")
                acting.result()
            finally:
                acting.cancel()
                await asyncio.gather(acting, return_exceptions=True)

    async def _take(self, connection: psycopg.AsyncConnection) -> bool:
        found = await connection.execute("select pg_try_advisory_lock(hashtextextended(%s, 0))", (f"duty:{self._name}",))
        return await found.fetchone() == (True,)
