"""The same riders for minutes, from a new beginning in every run."""

from __future__ import annotations

import os
from time import monotonic

import pytest

from app.database import SessionFactory
from tests.conftest import FixedClock
from tests.domain import races
from tests.soak.conftest import Report

SECONDS = float(os.environ.get("NIMROD_SOAK_SECONDS", "60"))


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 300)
async def test_no_order_of_acts_books_a_vehicle_twice(session_factory: SessionFactory, clock: FixedClock, report: Report) -> None:
    seed = int.from_bytes(os.urandom(4))
    race = await races.prepared(session_factory, clock, seed=seed)
    rounds, end = 0, monotonic() + SECONDS
    while monotonic() < end:
        await race.round(acts=10)
        rounds += 1
    report(seed=seed, rounds=rounds, **race.done)
