"""Departures: when to leave, on UTC instants, so as to arrive by a wall clock on chosen days of the week. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

#: a week after today, and a day on either side: zones are up to 14 hours away, and a time may be moved across midnight
_DAYS_LOOKED_AT = range(-1, 10)


@dataclass(frozen=True, slots=True)
class Departure:
    #: of the arrival, by the wall clock
    day: date
    leave_at: datetime
    arrive_by: datetime


def instant_of(day: date, wall: time, zone: ZoneInfo) -> datetime:
    """When a wall clock shows a time on a day, in UTC. The first of two such instants; where a clock that is put forward
    leaves the time out, the instant at which it is."""
    local = datetime.combine(day, wall.replace(fold=0), zone)
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return instant
    # In the gap: with the offset of after it, it would be before; with that of before, after.
    before, after = local.replace(fold=1).astimezone(UTC), instant
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


def next_departure(*, after: datetime, days: Collection[int], arrive_by: time, zone: ZoneInfo, travel: timedelta) -> Departure:
    """The first departure that does not lie before `after`. `days` are of ISO 8601, Monday is 1; one at least."""
    start = (after + travel).astimezone(zone).date()
    for offset in _DAYS_LOOKED_AT:
        day = start + timedelta(days=offset)
        if day.isoweekday() in days:
            arrival = instant_of(day, arrive_by, zone)
            if arrival - travel >= after:
                return Departure(day, arrival - travel, arrival)
    raise ValueError("no day of the week was chosen")
