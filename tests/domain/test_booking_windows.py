"""When a vehicle may be reserved for: rules on instants, whatever the clocks on the wall do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import errors, eventlog, ids, metros
from domain.booking_windows import START_GRACE, Window, window_for
from domain.values import LatLng, TimeWindow, VehicleType
from tests.domain import window_cases

NOW = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
METRO = metros.Metro(
    id=ids.new(),
    slug="nimburg",
    name="Nimburg",
    country_code="DE",
    timezone="Europe/Berlin",
    currency="EUR",
    languages=["de"],
    center=LatLng(49.4, 8.67),
    map_digest="none",
    attribution="",
    is_default=True,
    hold_ahead_minutes=30,
    hold_lapse_minutes=15,
    ride_max_hours=12,
    booking_ahead_days=7,
    booking_min_minutes=15,
    booking_max_days=7,
    proposal_minutes=5,
    cancel_free_minutes=60,
    cancel_grace_minutes=5,
    cool_down_holds=3,
    cool_down_hours=24,
    cool_down_minutes=60,
    unlock_radius_meters=100,
    return_radius_meters=50,
    return_accuracy_meters=100,
    return_settle_minutes=15,
    return_warning_minutes=30,
    late_grace_minutes=10,
    appeal_days=14,
    position=eventlog.Position(1, 1, 0),
)
micromobility = st.sampled_from([VehicleType.BICYCLE, VehicleType.SCOOTER_STANDING])
cars = st.sampled_from([VehicleType.CAR, VehicleType.VAN])
offsets = st.timedeltas(timedelta(days=-30), timedelta(days=30))


def window(kind: VehicleType, start: timedelta, end: timedelta | None = None, *, now: datetime = NOW) -> Window:
    return window_for(kind, METRO, starts_at=now + start, ends_at=None if end is None else now + end, now=now)


def faults(kind: VehicleType, start: timedelta, end: timedelta | None = None) -> list[str]:
    with pytest.raises(errors.InvalidInput) as refusal:
        window(kind, start, end)
    return [issue.path for issue in refusal.value.issues]


@pytest.mark.parametrize("kind", [VehicleType.BICYCLE, VehicleType.SCOOTER_STANDING])
def test_scooters_and_bikes_are_held_half_an_hour_ahead_and_open_ended(kind: VehicleType) -> None:
    held = window(kind, timedelta(minutes=30))
    assert held.ends_at is None
    assert held.lapses_at == NOW + timedelta(minutes=45)
    assert held.blocked == TimeWindow(NOW + timedelta(minutes=30), NOW + timedelta(minutes=45, hours=12))
    assert faults(kind, timedelta(minutes=30, seconds=1)) == ["startsAt"]
    assert faults(kind, timedelta(0), timedelta(hours=1)) == ["endsAt"]


@pytest.mark.parametrize("kind", [VehicleType.CAR, VehicleType.VAN])
def test_cars_and_vans_are_booked_seven_days_ahead_for_a_fixed_time(kind: VehicleType) -> None:
    week, quarter = timedelta(days=7), timedelta(minutes=15)
    assert window(kind, week, week + week).blocked == TimeWindow(NOW + week, NOW + week + week)
    assert window(kind, timedelta(0), quarter).lapses_at is None
    assert faults(kind, week + timedelta(seconds=1), week + timedelta(days=1)) == ["startsAt"]
    assert faults(kind, timedelta(0), quarter - timedelta(seconds=1)) == ["endsAt"]
    assert faults(kind, timedelta(0), week + timedelta(seconds=1)) == ["endsAt"]
    assert faults(kind, timedelta(hours=2), timedelta(hours=1)) == ["endsAt"]
    assert faults(kind, timedelta(0)) == ["endsAt"]
    assert faults(kind, timedelta(days=8), timedelta(days=7)) == ["startsAt", "endsAt"], "all faults travel together"


def test_a_start_a_moment_ago_means_now() -> None:
    assert window(VehicleType.BICYCLE, -START_GRACE).starts_at == NOW
    assert faults(VehicleType.BICYCLE, -START_GRACE - timedelta(seconds=1)) == ["startsAt"]


@given(window_cases.cases())
@settings(max_examples=200)
def test_the_rules_hold_to_the_second_in_five_time_zones_on_both_nights(case: window_cases.Case) -> None:
    """10,000 of them: `make soak`."""
    window_cases.check(case, METRO)


@given(micromobility | cars, offsets, st.none() | offsets)
def test_whatever_is_allowed_keeps_every_rule(kind: VehicleType, start: timedelta, end: timedelta | None) -> None:
    try:
        found = window(kind, start, end)
    except errors.InvalidInput:
        return
    assert NOW <= found.starts_at == found.blocked.starts_at < found.blocked.ends_at
    if kind.is_micromobility:
        assert found.ends_at is None
        assert found.starts_at <= NOW + timedelta(minutes=30)
        assert found.lapses_at == found.starts_at + timedelta(minutes=15)
    else:
        assert found.ends_at == found.blocked.ends_at
        assert timedelta(minutes=15) <= found.ends_at - found.starts_at <= timedelta(days=7)
        assert found.starts_at <= NOW + timedelta(days=7)


@given(micromobility, st.timedeltas(timedelta(0), timedelta(minutes=30)))
def test_every_hold_within_the_rules_is_allowed(kind: VehicleType, start: timedelta) -> None:
    assert window(kind, start).starts_at == NOW + start


@given(cars, st.timedeltas(timedelta(0), timedelta(days=7)), st.timedeltas(timedelta(minutes=15), timedelta(days=7)))
def test_every_booking_within_the_rules_is_allowed(kind: VehicleType, start: timedelta, length: timedelta) -> None:
    assert window(kind, start, start + length).blocked == TimeWindow(NOW + start, NOW + start + length)


@given(offsets, st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"]))
def test_the_zone_that_an_instant_is_written_in_changes_nothing(start: timedelta, zone: str) -> None:
    instant = NOW + start
    here = instant.astimezone(ZoneInfo(zone))
    outcomes: list[Window | list[str]] = []
    for starts_at in (instant, here):
        try:
            outcomes.append(
                window_for(VehicleType.CAR, METRO, starts_at=starts_at, ends_at=starts_at + timedelta(hours=1), now=NOW)
            )
        except errors.InvalidInput as error:
            outcomes.append([issue.path for issue in error.issues])
    # The wall clock's hour after the start is another instant on the night that clocks change.
    if (here + timedelta(hours=1)).utcoffset() == here.utcoffset():
        assert outcomes[0] == outcomes[1]


def test_the_hour_that_exists_twice_is_two_hours_of_booking() -> None:
    """25 October 2026, Berlin: 02:30 comes twice; fold tells which."""
    now = datetime(2026, 10, 24, 12, tzinfo=UTC)
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    second = first.replace(fold=1)
    found = window_for(VehicleType.CAR, METRO, starts_at=first, ends_at=second, now=now)
    assert found.blocked == TimeWindow(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC))


def test_the_hour_that_does_not_exist_is_not_booked() -> None:
    """29 March 2026, Berlin: 01:50 to 03:05 on the wall is a quarter of an hour."""
    now = datetime(2026, 3, 28, 12, tzinfo=UTC)
    start, end = datetime(2026, 3, 29, 1, 50, tzinfo=BERLIN), datetime(2026, 3, 29, 3, 5, tzinfo=BERLIN)
    found = window_for(VehicleType.CAR, METRO, starts_at=start, ends_at=end, now=now)
    assert found.ends_at is not None
    assert found.ends_at - found.starts_at == timedelta(minutes=15)
    with pytest.raises(errors.InvalidInput):
        window_for(VehicleType.CAR, METRO, starts_at=start, ends_at=end - timedelta(minutes=1), now=now)
