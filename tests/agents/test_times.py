"""Times in words: read on the metro's clock, through both nights when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.times import TimeProblem, When, read_times

ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)  # Saturday, 09:30 in Berlin


def read(text: str, now: datetime = NOW) -> When:
    return read_times(text, now, ZONE)[0]


def local(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=ZONE).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "starts_at"),
    [
        ("in 20 minutes", local(21, 9, 50)),
        ("in half an hour", local(21, 10)),
        ("in an hour", local(21, 10, 30)),
        ("in two hours", local(21, 11, 30)),
        ("in 1.5 hours", local(21, 11)),
        ("at 10:15", local(21, 10, 15)),
        ("at 08:30", local(22, 8, 30)),
        ("today at 08:30", local(21, 8, 30)),
        ("at 8:30 pm", local(21, 20, 30)),
        ("at 8pm", local(21, 20)),
        ("at noon", local(21, 12)),
        ("at midnight", local(22, 0)),
        ("half past ten", local(21, 10, 30)),
        ("quarter to eleven", local(21, 10, 45)),
        ("at 8 in the evening", local(21, 20)),
        ("tonight at 8", local(21, 20)),
        ("tomorrow at 9", local(22, 9)),
        ("tomorrow morning at 9", local(22, 9)),
        ("the day after tomorrow at 7", local(23, 7)),
        ("on Tuesday at 9", local(24, 9)),
        ("next saturday at 9", local(28, 9)),
        ("24 November at 10", local(24, 10)),
        ("on November 24th at 10", local(24, 10)),
        ("2026-12-01 at 10:00", local(1, 10, month=12)),
    ],
)
def test_a_start_is_read_on_the_metros_clock(text: str, starts_at: datetime) -> None:
    assert read(text).starts_at == starts_at


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("for 2 hours", 120),
        ("for 30 minutes", 30),
        ("for half an hour", 30),
        ("for an hour and a half", 90),
        ("two and a half hours", 150),
        ("for 2 days", 2880),
        ("2h 30m", 150),
        ("for a week", 10080),
        ("a quarter of an hour", 15),
    ],
)
def test_a_length_is_read(text: str, minutes: int) -> None:
    assert read(text).length == timedelta(minutes=minutes)


def test_an_end_is_the_first_such_time_after_the_start() -> None:
    assert read("until 18:00").ends_at == local(21, 18)
    assert read("tomorrow at 20:00 until 2:00").ends_at == local(23, 2)
    span = read("tomorrow from 9:00 to 11:00")
    assert (span.starts_at, span.ends_at) == (local(22, 9), local(22, 11))


def test_now_is_no_time_of_its_own() -> None:
    assert read("right now") == When(is_now=True)


def test_the_text_comes_back_without_the_times() -> None:
    assert "9" not in read_times("Book a car at Central Station at 9 for 2 hours", NOW, ZONE)[1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("2027-03-28 at 02:30", TimeProblem.NONEXISTENT),
        ("2027-10-31 at 02:30", TimeProblem.AMBIGUOUS),
        ("tomorrow", TimeProblem.DAY_ONLY),
        ("at 25:00", TimeProblem.IMPOSSIBLE),
        ("at 8:75", TimeProblem.IMPOSSIBLE),
        ("31 February at 9", TimeProblem.IMPOSSIBLE),
        ("at 13 pm", TimeProblem.IMPOSSIBLE),
    ],
)
def test_a_time_that_cannot_be_used_says_why(text: str, problem: TimeProblem) -> None:
    found = read(text)
    assert (found.problem, found.starts_at) == (problem, None)


def test_a_day_waits_for_its_time() -> None:
    asked = read("tomorrow for 2 hours")
    assert (asked.problem, asked.length) == (TimeProblem.DAY_ONLY, timedelta(hours=2))
    assert read_times("8:30", NOW, ZONE, day=asked.day)[0].starts_at == local(22, 8, 30)


def test_hours_are_elapsed_hours_through_the_night_of_the_change() -> None:
    evening = datetime(2027, 3, 27, 22, 0, tzinfo=UTC)
    assert read("in 4 hours", evening).starts_at == datetime(2027, 3, 28, 2, 0, tzinfo=UTC)


@settings(deadline=None)
@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 4 * 365 * 24 * 60))
def test_a_clock_time_is_the_next_one_or_refused(hour: int, minute: int, minutes_later: int) -> None:
    now = NOW + timedelta(minutes=minutes_later)
    found = read(f"at {hour:02}:{minute:02}", now)
    if found.starts_at is None:
        assert found.problem in (TimeProblem.NONEXISTENT, TimeProblem.AMBIGUOUS)
        return
    shown = found.starts_at.astimezone(ZONE)
    assert (shown.hour, shown.minute) == (hour, minute)
    assert timedelta(minutes=-1) <= found.starts_at - now <= timedelta(hours=25)


@settings(deadline=None)
@given(st.integers(1, 500), st.sampled_from(["minutes", "min", "hours", "days"]))
def test_a_length_survives_its_words(count: int, unit: str) -> None:
    minutes = count * {"minutes": 1, "min": 1, "hours": 60, "days": 1440}[unit]
    found = read(f"for {count} {unit}")
    assert found.length == (timedelta(minutes=minutes) if minutes <= 366 * 1440 else None)
