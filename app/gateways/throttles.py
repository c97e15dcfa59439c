"""Throttles: tries per minute or hour, counted in this process, or in Redis for all of them."""

from __future__ import annotations

import math
import time

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import MovingWindowRateLimiter
from limits.storage import storage_from_string


class _Throttle:
    def __init__(self, limit: RateLimitItem, redis_url: str | None) -> None:
        storage = storage_from_string(f"async+{redis_url}", implementation="redispy") if redis_url else MemoryStorage()
        if not isinstance(storage, Storage):
            raise TypeError("the storage of a throttle must be asynchronous")
        self._limiter = MovingWindowRateLimiter(storage)
        self._limit = limit

    async def hit(self, *keys: str) -> int:
        wait = 0
        for key in keys:
            if not await self._limiter.hit(self._limit, key):
                stats = await self._limiter.get_window_stats(self._limit, key)
                wait = max(wait, math.ceil(stats.reset_time - time.time()), 1)
        return wait


class MinuteThrottle(_Throttle):
    def __init__(self, per_minute: int, redis_url: str | None = None) -> None:
        super().__init__(RateLimitItemPerMinute(per_minute), redis_url)


class HourThrottle(_Throttle):
    def __init__(self, per_hour: int, redis_url: str | None = None) -> None:
        super().__init__(RateLimitItemPerHour(per_hour), redis_url)
