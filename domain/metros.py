"""Metros: the cities the fleet is in, with the rules that hold there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, tables
from domain.values import LatLng


@dataclass(frozen=True, slots=True)
class Metro:
    id: UUID
    slug: str
    name: str
    country_code: str
    timezone: str
    currency: str
    languages: list[str]
    center: LatLng
    map_digest: str
    attribution: str
    is_default: bool
    hold_ahead_minutes: int
    hold_lapse_minutes: int
    ride_max_hours: int
    booking_ahead_days: int
    booking_min_minutes: int
    booking_max_days: int
    proposal_minutes: int
    cancel_free_minutes: int
    cancel_grace_minutes: int
    cool_down_holds: int
    cool_down_hours: int
    cool_down_minutes: int
    unlock_radius_meters: int
    return_radius_meters: int
    return_accuracy_meters: int
    return_settle_minutes: int
    return_warning_minutes: int
    late_grace_minutes: int
    appeal_days: int
    #: where streams about this metro continue from what was read here
    position: eventlog.Position

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(ZoneInfo(self.timezone))


_METROS = tables.Metro.__table__
_OWN = [one.name for one in fields(Metro) if one.name not in ("center", "position")]
#: for a statement that reads a metro beside other rows
COLUMNS = [
    *(_METROS.c[name].label(f"metro_{name}") for name in (*_OWN, "lat", "lon")),
    eventlog.position_column("'dispatch:' || metros.id").label("metro_position"),
]


def of_columns(values: Sequence[Any]) -> Metro:
    """A metro from the values of COLUMNS, in their order."""
    *own, lat, lon, position = values
    return Metro(**dict(zip(_OWN, own, strict=True)), center=LatLng(lat, lon), position=eventlog.Position(*position))


def _select() -> Select[Any]:
    return select(*COLUMNS)


def _of(row: Row[Any]) -> Metro:
    return of_columns(tuple(row))


_BY_ID = _select().where(tables.Metro.id == bindparam("wanted"))


async def get_metro(session: AsyncSession, metro_id: UUID) -> Metro:
    row = (await session.execute(_BY_ID, {"wanted": metro_id})).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such metro.", path="metroId")
    return _of(row)


async def find_metros(session: AsyncSession, metro_ids: Sequence[UUID]) -> dict[UUID, Metro]:
    rows = await session.execute(_select().where(tables.Metro.id.in_(metro_ids)))
    return {metro.id: metro for metro in map(_of, rows)}


async def get_default_metro(session: AsyncSession) -> Metro:
    row = (await session.execute(_select().where(tables.Metro.is_default))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no metro yet. Run `nimrod seed`.", path="metroId")
    return _of(row)


async def list_metros(session: AsyncSession) -> list[Metro]:
    """All of them, the default one first, 1,000 at most."""
    rows = await session.execute(_select().order_by(tables.Metro.is_default.desc(), tables.Metro.name).limit(1000))
    return [_of(row) for row in rows]
