"""A doorbell that tests ring by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence


class HandBell:
    def __init__(self) -> None:
        self._rung: asyncio.Queue[str] = asyncio.Queue()

    async def ring(self, topics: Sequence[str]) -> None:
        for topic in topics:
            self._rung.put_nowait(topic)

    async def rings(self) -> AsyncIterator[str]:
        while True:
            yield await self._rung.get()
