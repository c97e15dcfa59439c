"""Demand that the fleet did not meet: searches without a result, by zone, hour and vehicle type."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import cast
from uuid import UUID

import h3
from sqlalchemy import BigInteger, Double, Table, Uuid, column, literal, select, values
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import ids, tables
from domain.tables.demand import ZONE_RESOLUTION
from domain.values import LatLng, VehicleType

_METROS = tables.Metro.__table__
_UNMET = tables.UnmetDemand.__table__


def zone_of(point: LatLng) -> int:
    """The H3 cell that demand at the point counts for."""
    return int(h3.str_to_int(h3.latlng_to_cell(point.lat, point.lon, ZONE_RESOLUTION)))


async def count_unmet(
    session: AsyncSession, metro_id: UUID, near: LatLng, types: Collection[VehicleType], *, now: datetime
) -> None:
    """One more search without a result, for each type that was asked for. Outside the metro nobody was to be served:
    nothing is counted there, so that what anybody may send makes no more rows than the metro has zones and hours."""
    # In one order: two searches that count for the same types never wait for each other in a circle.
    wanted: list[VehicleType | None] = [*sorted(set(types))] or [None]
    searched = values(column("id", Uuid), column("vehicle_type", _UNMET.c.vehicle_type.type), name="searched").data(
        [(ids.new(), kind) for kind in wanted]
    )
    rows = (
        select(
            searched.c.id,
            _METROS.c.id,
            literal(zone_of(near), BigInteger),
            literal(now.replace(minute=0, second=0, microsecond=0), _UNMET.c.hour.type),
            searched.c.vehicle_type,
            literal(1),
        )
        .select_from(_METROS.join(searched, literal(True)))
        .where(
            _METROS.c.id == metro_id,
            literal(near.lat, Double).between(_METROS.c.south, _METROS.c.north),
            literal(near.lon, Double).between(_METROS.c.west, _METROS.c.east),
        )
    )
    added = insert(cast("Table", _UNMET)).from_select(["id", "metro_id", "h3_cell", "hour", "vehicle_type", "count"], rows)
    key = ["metro_id", "hour", "h3_cell", "vehicle_type"]
    await session.execute(
        added.on_conflict_do_update(index_elements=key, set_={"count": _UNMET.c["count"] + added.excluded["count"]})
    )
