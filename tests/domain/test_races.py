"""Whatever the order in which twenty riders reserve, change, extend and give up: no vehicle is two people's at once."""

from __future__ import annotations

import asyncio

from app.database import SessionFactory
from tests.conftest import FixedClock
from tests.domain import races


async def test_twenty_riders_who_do_everything_at_once_leave_everything_in_order(
    session_factory: SessionFactory, clock: FixedClock
) -> None:
    """Also no deadlock, which would be an error of the database. For longer: `make soak`."""
    race = await races.prepared(session_factory, clock, seed=1)
    async with asyncio.timeout(60):
        for _ in range(3):
            await race.round(acts=4)
    assert {act.__name__ for act in races.ACTS} <= set(race.done), race.done
