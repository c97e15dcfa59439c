"""Tracks: where a trip went, as the phone of its rider saw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, tables, trip_distances, trips
from domain.actor import Actor
from domain.tables import TripState
from domain.values import LatLng

MAX_POSITIONS = 100
#: clocks of phones differ from ours
CLOCK_GRACE = timedelta(minutes=1)
#: what would have been faster is a fault of the receiver
TOP_SPEED_METERS_PER_SECOND = 60
#: how long before what is recorded the last position still tells whether it jumps
LOOK_BACK = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Fix:
    at: datetime
    position: LatLng
    accuracy_meters: float


async def record_positions(session: AsyncSession, who: Actor, *, trip_id: UUID, positions: Sequence[Fix], now: datetime) -> None:
    """What is recorded again, or jumps, is left out. Raises NotFound, TripClosed, InvalidInput."""
    row = await trips.lock_trip(session, who, trip_id)
    if row.state not in (TripState.IN_USE, TripState.PAUSED) or row.started_at is None:
        raise errors.TripClosed(f"The trip is {row.state}: only one that is ridden has a track.", path="tripId")
    _check(positions, row.started_at, now)
    new = sorted(positions, key=lambda fix: fix.at)
    rows = tables.TripPosition
    near = select(rows.at, rows.lat, rows.lon, rows.accuracy_meters).where(
        rows.trip_id == row.id, rows.at >= new[0].at - LOOK_BACK, rows.at <= new[-1].at
    )
    known = [Fix(at, LatLng(lat, lon), accuracy) for at, lat, lon, accuracy in await session.execute(near.order_by(rows.at))]
    values = [
        {
            "trip_id": row.id,
            # One a second, however often a phone says so.
            "at": min(fix.at, now).replace(microsecond=0),
            "received_at": now,
            "lat": fix.position.lat,
            "lon": fix.position.lon,
            "accuracy_meters": fix.accuracy_meters,
        }
        for fix in without_jumps(known, new)
    ]
    if values:
        await session.execute(insert(rows).values(values).on_conflict_do_nothing())
        row.distance_meters = await trip_distances.measure(session, row.id)
        await session.flush()


def without_jumps(known: Sequence[Fix], new: Sequence[Fix]) -> list[Fix]:
    """Those of the new, by time, that could be reached from the one before."""
    kept: list[Fix] = []
    before: Fix | None = None
    fresh = set(map(id, new))
    for fix in sorted((*known, *new), key=lambda one: one.at):
        if id(fix) not in fresh:
            before = fix
        elif before is None or _could_be_reached(before, fix):
            kept.append(fix)
            before = fix
    return kept


def _could_be_reached(before: Fix, fix: Fix) -> bool:
    meters = before.position.meters_to(fix.position) - before.accuracy_meters - fix.accuracy_meters
    return meters <= TOP_SPEED_METERS_PER_SECOND * (fix.at - before.at).total_seconds()


def _check(positions: Sequence[Fix], started_at: datetime, now: datetime) -> None:
    issues = []
    if not 1 <= len(positions) <= MAX_POSITIONS:
        raise errors.InvalidInput.of("positions", f"1 to {MAX_POSITIONS} positions are recorded at a time.")
    for index, fix in enumerate(positions):
        path = f"positions.{index}"
        if fix.at.tzinfo is None or fix.at > now + CLOCK_GRACE:
            issues.append(errors.Issue(f"{path}.at", "A position lies in the future."))
        elif fix.at < started_at:
            issues.append(errors.Issue(f"{path}.at", f"The trip started at {started_at:%Y-%m-%dT%H:%M:%SZ}, after that."))
        if not (-90 <= fix.position.lat <= 90 and -180 <= fix.position.lon <= 180):
            issues.append(errors.Issue(f"{path}.position", "A latitude lies in -90 to 90, a longitude in -180 to 180."))
        if not (isfinite(fix.accuracy_meters) and fix.accuracy_meters >= 0):
            issues.append(errors.Issue(f"{path}.accuracyMeters", "accuracyMeters is 0 or more."))
    if issues:
        raise errors.InvalidInput(issues)
