"""Readers: connections that stay out of the pool between two reads of the log, since every event of every topic is one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker

#: of a process; beyond, readers take them from the pool and give them back
KEPT = 2


class Readers:
    def __init__(self, sessions: async_sessionmaker[AsyncSession]) -> None:
        self._sessions = sessions
        self._idle: list[AsyncConnection] = []
        self._is_closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """One for a read without a transaction. After a failure it is not used again."""
        connection = self._idle.pop() if self._idle else await self._open()
        try:
            yield connection
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        if self._is_closed or len(self._idle) >= KEPT:
            await connection.close()
        else:
            self._idle.append(connection)

    async def _open(self) -> AsyncConnection:
        engine: AsyncEngine = self._sessions.kw["bind"]
        return await engine.connect()

    async def close(self) -> None:
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close()
