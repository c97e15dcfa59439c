"""Waiting: for what another process brings about, with a limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

LOOK_SECONDS = 0.05


async def until(holds: Callable[[], bool] | Callable[[], Awaitable[bool]], seconds: float = 40) -> float:
    """Seconds until it held. Raises TimeoutError."""
    started = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await _answer(holds):
            await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic() - started


async def _answer(holds: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> bool:
    found = holds()
    return found if isinstance(found, bool) else await found
