"""Running prices: what a trip costs by now, and when the next minute of it begins (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain import meters, trips
from domain.values import Money

_MINUTE, _SECOND = timedelta(minutes=1), timedelta(seconds=1)


def price_of(trip: trips.Trip, now: datetime) -> Money | None:
    """None for what has not begun, or never did. Of a trip that is over the total of its receipt, fines included."""
    if trip.started_at is None:
        return None
    if trip.total is not None:
        return trip.total
    ride = meters.Ride(trip.started_at, trip.ended_at, trip.pauses, was_reserved=not trip.is_walk_up)
    return meters.running_price(trip.tariff, ride, now)


def next_minute(started_at: datetime, now: datetime) -> datetime:
    """Within the first second of the next minute that will be charged: every started one is."""
    begun = max(0, (now - started_at - _SECOND) // _MINUTE)
    return started_at + (begun + 1) * _MINUTE + _SECOND


def this_minute(started_at: datetime, now: datetime) -> datetime:
    """The same of the minute that runs."""
    return next_minute(started_at, now) - _MINUTE
