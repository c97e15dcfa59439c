"""Throttles: tries per minute, counted in this process, or in Redis for all of them."""

from __future__ import annotations

import math
import time

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.storage import storage_from_string


class MinuteThrottle:
    def __init__(self, per_minute: int, redis_url: str | None = None) -> None:
        storage = storage_from_string(f"async+{redis_url}", implementation="redispy") if redis_url else MemoryStorage()
        if not isinstance(storage, Storage):
            raise TypeError("the storage of a throttle must be asynchronous")
        self._limiter = MovingWindowRateLimiter(storage)
        self._limit = RateLimitItemPerMinute(per_minute)

    async def hit(self, *keys: str) -> int:
        wait = 0
        for key in keys:
            if not await self._limiter.hit(self._limit, key):
                stats = await self._limiter.get_window_stats(self._limit, key)
                wait = max(wait, math.ceil(stats.reset_time - time.time()), 1)
        return wait
