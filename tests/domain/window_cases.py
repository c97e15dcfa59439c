"""Windows somebody asks for in metros of five time zones around the nights that their clocks change, and what should come of
them: an oracle that knows nothing but seconds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from domain import booking_windows, errors, metros
from domain.booking_windows import Window
from domain.values import VehicleType

#: those of the European Union change at one instant; Lord Howe by half an hour, and in another month
ZONES = ("Europe/Berlin", "Europe/Lisbon", "Atlantic/Azores", "Europe/Helsinki", "Australia/Lord_Howe")
#: instants at which clocks change there
NIGHTS = {
    zone: (datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2027, 3, 28, 1, tzinfo=UTC)) for zone in ZONES if zone[0] in "EA"
} | {"Australia/Lord_Howe": (datetime(2027, 4, 3, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC))}
MINUTE, HOUR, DAY = 60, 3600, 86_400
#: where rules bend, in seconds: each is asked for itself, and a second to both sides
EDGES = (0, -MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 12 * HOUR, DAY, 7 * DAY, 14 * DAY)
seconds = st.builds(lambda edge, off: edge + off, st.sampled_from(EDGES), st.sampled_from((-1, 0, 1))) | st.integers(
    -2 * DAY, 15 * DAY
)


@dataclass(frozen=True)
class Case:
    zone: str
    kind: VehicleType
    now: datetime
    #: both on the wall clock of the metro, with the offset that it has then
    starts_at: datetime
    ends_at: datetime | None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone = draw(st.sampled_from(ZONES))
    night = draw(st.sampled_from(NIGHTS[zone]))
    now = night + timedelta(seconds=draw(seconds)) - timedelta(days=draw(st.integers(0, 8)))
    starts_at = now + timedelta(seconds=draw(seconds))
    ends_at = draw(st.none() | st.builds(lambda length: starts_at + timedelta(seconds=length), seconds))
    wall = ZoneInfo(zone)
    end = None if ends_at is None else ends_at.astimezone(wall)
    return Case(zone, draw(st.sampled_from(list(VehicleType))), now, starts_at.astimezone(wall), end)


def check(case: Case, metro: metros.Metro) -> None:
    """The rules to the second, whatever the clocks on the wall do: 30 minutes ahead, lapse after 15, ride of 12 hours; 7 days
    ahead, 15 minutes to 7 days long."""
    metro = replace(metro, timezone=case.zone)
    now, start = _epoch(case.now), _epoch(case.starts_at)
    end = None if case.ends_at is None else _epoch(case.ends_at)
    found = _window(case, metro)
    assert (found is not None) == _is_allowed(case.kind, now, start, end), case
    if found is None:
        return
    start = max(start, now)
    assert (_epoch(found.starts_at), found.blocked.starts_at) == (start, found.starts_at)
    assert {found.starts_at.utcoffset(), found.blocked.ends_at.utcoffset()} == {timedelta(0)}, "instants are UTC"
    if case.kind.is_micromobility:
        assert found.lapses_at is not None
        assert (_epoch(found.lapses_at), found.ends_at) == (start + 15 * MINUTE, None)
        assert _epoch(found.blocked.ends_at) == start + 15 * MINUTE + 12 * HOUR
    else:
        assert found.ends_at is not None
        assert (_epoch(found.ends_at), found.lapses_at, found.blocked.ends_at) == (end, None, found.ends_at)
        _check_extension(found, metro)
    _check_clocks(found, metro)


def _epoch(instant: datetime) -> int:
    return round(instant.timestamp())


def _window(case: Case, metro: metros.Metro) -> Window | None:
    given = {"starts_at": case.starts_at, "ends_at": case.ends_at, "now": case.now}
    try:
        found = booking_windows.window_for(case.kind, metro, **given)  # type: ignore[arg-type]
    except errors.InvalidInput:
        return None
    moved = booking_windows.moved(case.kind, metro, made_at=case.now, **given)  # type: ignore[arg-type]
    assert moved == found, "what may be reserved may be moved to"
    return found


def _is_allowed(kind: VehicleType, now: int, start: int, end: int | None) -> bool:
    if start < now - MINUTE:
        return False
    start = max(start, now)
    if kind.is_micromobility:
        return end is None and start - now <= 30 * MINUTE
    return end is not None and start - now <= 7 * DAY and 15 * MINUTE <= end - start <= 7 * DAY


def _check_extension(booked: Window, metro: metros.Metro) -> None:
    """Up to seven days after the start, and not a second longer."""
    latest = booked.starts_at + timedelta(seconds=7 * DAY)
    if booked.ends_at != latest:
        assert booking_windows.extended(metro, booked, latest).blocked.ends_at == latest
    for refused in (latest + timedelta(seconds=1), booked.blocked.ends_at):
        try:
            booking_windows.extended(metro, booked, refused)
        except errors.InvalidInput:
            continue
        raise AssertionError(f"{booked} was extended to {refused}")


def _check_clocks(found: Window, metro: metros.Metro) -> None:
    """What the metro's clocks show is the same instant, and says so also in the hour that comes twice."""
    for instant in (found.starts_at, found.blocked.ends_at):
        written = metro.local(instant).isoformat()
        assert datetime.fromisoformat(written) == instant
        assert written[:16] == instant.astimezone(ZoneInfo(metro.timezone)).strftime("%Y-%m-%dT%H:%M")
