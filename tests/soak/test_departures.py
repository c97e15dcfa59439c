"""Departures: the same sentences as in the suite, tried ten thousand times around the nights in which clocks change."""

from __future__ import annotations

import os
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain import test_departures as departures

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
EXAMPLES = int(os.environ.get("NIMROD_SOAK_EXAMPLES", "10000"))


@settings(max_examples=EXAMPLES, deadline=None)
@given(departures.zones, departures.near_a_night, departures.walls)
def test_it_is_the_first_instant_at_which_the_clock_shows_that_or_later(zone: ZoneInfo, day: date, wall: time) -> None:
    departures.hold_first_instant(zone, day, wall)


@settings(max_examples=EXAMPLES, deadline=None)
@given(departures.zones, departures.instants, st.sets(st.integers(1, 7), min_size=1), departures.walls, departures.ways)
def test_the_next_departure_is_the_first_that_is_not_past(
    zone: ZoneInfo, after: datetime, days: set[int], wall: time, travel: timedelta
) -> None:
    departures.hold_first_departure(zone, after, days, wall, travel)
