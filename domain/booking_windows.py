"""Booking windows: when a vehicle may be reserved for, and when it is nobody else's. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from domain import errors, metros
from domain.values import TimeWindow, VehicleType

#: how far in the past a start may lie and still mean "now": clocks of phones differ
START_GRACE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Window:
    """When the vehicle is meant to be used, and when it is nobody else's."""

    starts_at: datetime
    ends_at: datetime | None
    lapses_at: datetime | None
    blocked: TimeWindow


def window_for(
    vehicle_type: VehicleType, metro: metros.Metro, *, starts_at: datetime, ends_at: datetime | None, now: datetime
) -> Window:
    """The rules of booking windows, on UTC instants. Raises InvalidInput naming startsAt or endsAt, the limit and the way out."""
    starts_at = starts_at.astimezone(UTC)
    if starts_at < now - START_GRACE:
        raise errors.InvalidInput.of("startsAt", f"startsAt lies in the past; it is {now:%Y-%m-%dT%H:%M:%SZ} now.")
    starts_at = max(starts_at, now)
    if vehicle_type.is_micromobility:
        return _hold(metro, starts_at, ends_at, now)
    return _booking(metro, starts_at, ends_at, now)


def moved(
    vehicle_type: VehicleType,
    metro: metros.Metro,
    *,
    starts_at: datetime,
    ends_at: datetime | None,
    made_at: datetime,
    now: datetime,
) -> Window:
    """The same of a reservation that was made before. A hold moves no further ahead than when it was made: else somebody
    keeps a vehicle for nothing by moving it on and on."""
    latest = made_at + timedelta(minutes=metro.hold_ahead_minutes)
    if vehicle_type.is_micromobility and starts_at > latest:
        raise errors.InvalidInput.of(
            "startsAt",
            f"A hold starts {metro.hold_ahead_minutes} minutes after it was made at the latest, that is"
            f" {latest:%Y-%m-%dT%H:%M:%SZ}. For later, cancel it and hold again.",
        )
    return window_for(vehicle_type, metro, starts_at=starts_at, ends_at=ends_at, now=now)


def extended(metro: metros.Metro, window: Window, ends_at: datetime) -> Window:
    """A booking with a later end, whether it runs already or not. Raises InvalidInput naming endsAt."""
    ends_at = ends_at.astimezone(UTC)
    if window.ends_at is None:
        raise errors.InvalidInput.of(
            "endsAt",
            "Scooters and bikes are reserved open-ended: there is no end to extend. A ride may last"
            f" {metro.ride_max_hours} hours.",
        )
    if ends_at <= window.ends_at:
        raise errors.InvalidInput.of(
            "endsAt", f"The booking lasts until {window.ends_at:%Y-%m-%dT%H:%M:%SZ}: an extension ends later than that."
        )
    if ends_at - window.starts_at > timedelta(days=metro.booking_max_days):
        longest = window.starts_at + timedelta(days=metro.booking_max_days)
        raise errors.InvalidInput.of(
            "endsAt",
            f"A booking lasts {metro.booking_max_days} days at most: this one until {longest:%Y-%m-%dT%H:%M:%SZ}.",
        )
    return Window(window.starts_at, ends_at, None, TimeWindow(window.starts_at, ends_at))


def free_cancellation(
    vehicle_type: VehicleType, metro: metros.Metro, *, starts_at: datetime, made_at: datetime
) -> datetime | None:
    """Until when, that instant included, a booking is given up for nothing; shortly after it was made in any case. None for
    holds: they lapse soon enough."""
    if vehicle_type.is_micromobility:
        return None
    grace = made_at + timedelta(minutes=metro.cancel_grace_minutes)
    return max(starts_at - timedelta(minutes=metro.cancel_free_minutes), grace)


def _hold(metro: metros.Metro, starts_at: datetime, ends_at: datetime | None, now: datetime) -> Window:
    if ends_at is not None:
        raise errors.InvalidInput.of("endsAt", "Scooters and bikes are reserved open-ended: leave endsAt out.")
    if starts_at > now + timedelta(minutes=metro.hold_ahead_minutes):
        raise errors.InvalidInput.of(
            "startsAt", f"Scooters and bikes can be reserved {metro.hold_ahead_minutes} minutes ahead at most."
        )
    lapses_at = starts_at + timedelta(minutes=metro.hold_lapse_minutes)
    return Window(starts_at, None, lapses_at, TimeWindow(starts_at, lapses_at + timedelta(hours=metro.ride_max_hours)))


def _booking(metro: metros.Metro, starts_at: datetime, ends_at: datetime | None, now: datetime) -> Window:
    if ends_at is None:
        raise errors.InvalidInput.of("endsAt", "Cars and vans are booked for a fixed time: give endsAt.")
    ends_at = ends_at.astimezone(UTC)
    shortest, longest = timedelta(minutes=metro.booking_min_minutes), timedelta(days=metro.booking_max_days)
    issues = []
    if starts_at > now + timedelta(days=metro.booking_ahead_days):
        issues.append(errors.Issue("startsAt", f"Cars and vans can be booked {metro.booking_ahead_days} days ahead at most."))
    if ends_at <= starts_at:
        issues.append(errors.Issue("endsAt", "endsAt must lie after startsAt."))
    elif not shortest <= ends_at - starts_at <= longest:
        issues.append(
            errors.Issue(
                "endsAt",
                f"A booking lasts {metro.booking_min_minutes} minutes at least and {metro.booking_max_days} days at most.",
            )
        )
    if issues:
        raise errors.InvalidInput(issues)
    return Window(starts_at, ends_at, None, TimeWindow(starts_at, ends_at))
