"""Trip distances: how far a trip has gone, by its track."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.values import EARTH_RADIUS_METERS

#: what is vaguer than that wanders, and would add up to a way that nobody went
SHARP_METERS = 100

_MEASURE = text(
    "with steps as (select radians(lat) as lat, radians(lon) as lon,"
    "   lag(radians(lat)) over track as lat_before, lag(radians(lon)) over track as lon_before"
    "  from trip_positions where trip_id = :trip_id and accuracy_meters <= :sharp window track as (order by at))"
    " select coalesce(sum(2 * :radius * asin(least(1, sqrt(power(sin((lat - lat_before) / 2), 2)"
    "  + cos(lat) * cos(lat_before) * power(sin((lon - lon_before) / 2), 2))))), 0)"
    " from steps where lat_before is not null"
)


async def measure(session: AsyncSession, trip_id: UUID) -> int:
    """In meters, along the positions that are known."""
    given = {"trip_id": trip_id, "sharp": SHARP_METERS, "radius": EARTH_RADIUS_METERS}
    meters: float = (await session.execute(_MEASURE, given)).scalar_one()
    return round(meters)
