"""What a trip costs by now, and when that changes."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import running_prices

START = datetime.fromisoformat("2026-10-25T00:30:00+00:00")


@pytest.mark.parametrize(("elapsed", "due"), [(0, 61), (1, 61), (60.9, 61), (61, 121), (119, 121), (3600, 3601), (-5, 61)])
def test_a_minute_is_told_of_within_its_first_second(elapsed: float, due: int) -> None:
    assert running_prices.next_minute(START, START + timedelta(seconds=elapsed)) == START + timedelta(seconds=due)


@given(elapsed=st.floats(0, 10**6))
def test_the_minute_that_runs_is_never_ahead_of_the_clock_nor_more_than_one_behind(elapsed: float) -> None:
    now = START + timedelta(seconds=elapsed)
    running = running_prices.this_minute(START, now)
    assert running <= max(now, START + timedelta(seconds=1)) < running + timedelta(seconds=60)
    assert (running - START) % timedelta(minutes=1) == timedelta(seconds=1)
