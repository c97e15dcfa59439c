"""The publisher: commits numbered events to a metro's topic at a steady pace, through the same sessions as the product.

Every try has a number of its own, so that one whose outcome nobody knows can be found in the table, or not. Run as a
child (see `child`).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Any
from uuid import uuid4

from sqlalchemy import exc

from app import database
from app.doorbell import Doorbell
from app.settings import Settings
from domain import eventlog
from domain.errors import DomainError
from tests.soak.child import obey, orders

FAILURES = (exc.SQLAlchemyError, DomainError, OSError, TimeoutError)
TIMEOUT_SECONDS = 2.0


class Publisher:
    def __init__(self, *, sessions: database.SessionFactory, topic: str, per_second: float, plate: int) -> None:
        self._sessions = sessions
        self._topic = topic
        self._pause = 1 / per_second
        self._plate = "x" * plate
        self._numbers = itertools.count(1)
        self._going: asyncio.Task[None] | None = None
        #: number and instant before the commit, of those that are known to be in the table
        self._committed: list[tuple[int, float]] = []
        self._unknown = 0

    async def go(self) -> None:
        """Begins to publish."""
        self._going = asyncio.create_task(self._publish_steadily())

    async def burst(self, count: int) -> None:
        """So many at once, each in a transaction of its own."""
        for _ in range(count):
            await self._publish()

    async def stop(self) -> dict[str, Any]:
        if self._going is not None:
            self._going.cancel()
            await asyncio.gather(self._going, return_exceptions=True)
        self._going = None
        return {"committed": self._committed, "unknown": self._unknown}

    async def _publish_steadily(self) -> None:
        due = time.monotonic()
        while True:
            await asyncio.shield(self._publish())
            # What could not be published in time is not made up for.
            due = max(due + self._pause, time.monotonic() - self._pause)
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _publish(self) -> None:
        n = next(self._numbers)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS * 2), self._sessions() as session:
                await eventlog.append(session, self._topic, "vehicle.changed", payload(n, self._plate))
                at = time.time()
                await session.commit()
            self._committed.append((n, at))
        except FAILURES:
            self._unknown += 1


def payload(n: int, plate: str) -> dict[str, Any]:
    return {
        "vehicleId": str(uuid4()),
        "vehicleType": "car",
        "plate": plate,
        "state": "available",
        "batteryPercent": 77,
        "odometerMeters": n,
        "lat": 52.5,
        "lon": 13.4,
    }


async def main() -> None:
    reader = await orders()
    given = json.loads(await reader.readline())
    url, doorbell_url = given.pop("url"), given.pop("doorbell_url")
    settings = Settings(doorbell_url=doorbell_url, database_timeout_seconds=TIMEOUT_SECONDS, database_pool_size=2)
    bell = Doorbell.at(doorbell_url, url) if doorbell_url else None
    if bell is not None:
        await bell.open()
    async with database.opened(settings, url, bell) as sessions:
        publisher = Publisher(sessions=sessions, **given)
        await obey(reader, {one.__name__: one for one in (publisher.go, publisher.burst, publisher.stop)})
    if bell is not None:
        await bell.close()


if __name__ == "__main__":
    asyncio.run(main())
