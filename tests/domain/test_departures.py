"""When to leave holds to the second wherever clocks change, in the night in which they do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.departures import Departure, instant_of, next_departure

FORWARD, BACK = date(2027, 3, 28), date(2026, 10, 25)
zones = st.sampled_from(["Europe/Berlin", "Europe/Lisbon", "Atlantic/Azores", "Europe/Helsinki", "Europe/Dublin"]).map(ZoneInfo)
nights = st.sampled_from([FORWARD, BACK])
near_a_night = st.tuples(nights, st.integers(-1, 1)).map(lambda given: given[0] + timedelta(days=given[1]))
walls = st.times().map(lambda wall: wall.replace(second=0, microsecond=0))
instants = st.builds(
    lambda day, past: datetime.combine(day, time(), UTC) + past, near_a_night, st.timedeltas(timedelta(0), timedelta(days=1))
)
ways = st.timedeltas(timedelta(0), timedelta(hours=4)).map(lambda way: timedelta(seconds=round(way.total_seconds())))
EVERY_DAY = range(1, 8)


def shown(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("zone", "day", "wall", "utc"),
    [
        ("Europe/Berlin", FORWARD, time(1, 59), "2027-03-28T00:59"),
        ("Europe/Berlin", FORWARD, time(2, 0), "2027-03-28T01:00"),
        ("Europe/Berlin", FORWARD, time(2, 30), "2027-03-28T01:00"),
        ("Europe/Berlin", FORWARD, time(3, 0), "2027-03-28T01:00"),
        ("Europe/Berlin", BACK, time(2, 30), "2026-10-25T00:30"),
        ("Europe/Berlin", BACK, time(3, 0), "2026-10-25T02:00"),
        ("Europe/Lisbon", FORWARD, time(1, 30), "2027-03-28T01:00"),
        ("Europe/Lisbon", BACK, time(1, 30), "2026-10-25T00:30"),
        ("Europe/Dublin", FORWARD, time(1, 30), "2027-03-28T01:00"),
        ("Europe/Dublin", BACK, time(1, 30), "2026-10-25T00:30"),
        ("Atlantic/Azores", FORWARD, time(0, 0), "2027-03-28T01:00"),
        ("Atlantic/Azores", BACK, time(0, 30), "2026-10-25T00:30"),
        ("Europe/Helsinki", FORWARD, time(3, 59), "2027-03-28T01:00"),
        ("Europe/Helsinki", BACK, time(3, 30), "2026-10-25T00:30"),
    ],
)
def test_a_time_that_is_left_out_is_the_next_one_and_of_two_the_first(zone: str, day: date, wall: time, utc: str) -> None:
    assert instant_of(day, wall, ZoneInfo(zone)) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


def hold_first_instant(zone: ZoneInfo, day: date, wall: time) -> None:
    wanted = datetime.combine(day, wall)
    instant = instant_of(day, wall, zone)
    assert shown(instant, zone) >= wanted
    assert shown(instant - timedelta(seconds=1), zone) < wanted
    assert all(shown(instant - timedelta(minutes=minutes), zone) < wanted for minutes in range(5, 181, 5))


@settings(max_examples=50, deadline=None)
@given(zones, near_a_night, walls)
def test_it_is_the_first_instant_at_which_the_clock_shows_that_or_later(zone: ZoneInfo, day: date, wall: time) -> None:
    hold_first_instant(zone, day, wall)


def hold_first_departure(zone: ZoneInfo, after: datetime, days: set[int], wall: time, travel: timedelta) -> None:
    around = (after.date() + timedelta(days=offset) for offset in range(-3, 14))
    arrivals = {day: instant_of(day, wall, zone) for day in around if day.isoweekday() in days}
    all_of_them = (Departure(day, arrival - travel, arrival) for day, arrival in arrivals.items())
    first = min((each for each in all_of_them if each.leave_at >= after), key=lambda each: each.leave_at)
    assert next_departure(after=after, days=days, arrive_by=wall, zone=zone, travel=travel) == first


@settings(max_examples=50, deadline=None)
@given(zones, instants, st.sets(st.integers(1, 7), min_size=1), walls, ways)
def test_the_next_departure_is_the_first_that_is_not_past(
    zone: ZoneInfo, after: datetime, days: set[int], wall: time, travel: timedelta
) -> None:
    hold_first_departure(zone, after, days, wall, travel)


def test_a_departure_at_this_second_is_the_next_and_then_that_of_tomorrow_by_the_clock() -> None:
    berlin, travel = ZoneInfo("Europe/Berlin"), timedelta(minutes=20)
    leave_at = datetime(2026, 10, 24, 6, 10, tzinfo=UTC)
    found = next_departure(after=leave_at, days=EVERY_DAY, arrive_by=time(8, 30), zone=berlin, travel=travel)
    assert found == Departure(date(2026, 10, 24), leave_at, leave_at + travel)
    later = leave_at + timedelta(seconds=1)
    found = next_departure(after=later, days=EVERY_DAY, arrive_by=time(8, 30), zone=berlin, travel=travel)
    assert found.leave_at - leave_at == timedelta(hours=25), "the clock was put back in between"


def test_without_a_day_there_is_no_departure() -> None:
    with pytest.raises(ValueError, match="no day"):
        next_departure(after=datetime.now(UTC), days=[], arrive_by=time(8), zone=ZoneInfo("UTC"), travel=timedelta(0))
