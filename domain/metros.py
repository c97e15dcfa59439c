"""Metros: the cities the fleet is in, with the rules that hold there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    #: where streams about this metro continue from what was read here
    position: eventlog.Position

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(ZoneInfo(self.timezone))


def _select() -> Select[Any]:
    return select(tables.Metro.__table__, eventlog.position_column("'dispatch:' || metros.id"))


def _of(row: Row[Any]) -> Metro:
    return Metro(
        id=row.id,
        slug=row.slug,
        name=row.name,
        country_code=row.country_code,
        timezone=row.timezone,
        currency=row.currency,
        languages=row.languages,
        center=LatLng(row.lat, row.lon),
        map_digest=row.map_digest,
        attribution=row.attribution,
        is_default=row.is_default,
        hold_ahead_minutes=row.hold_ahead_minutes,
        hold_lapse_minutes=row.hold_lapse_minutes,
        ride_max_hours=row.ride_max_hours,
        booking_ahead_days=row.booking_ahead_days,
        booking_min_minutes=row.booking_min_minutes,
        booking_max_days=row.booking_max_days,
        proposal_minutes=row.proposal_minutes,
        position=eventlog.Position(*row.log_position),
    )


_BY_ID = _select().where(tables.Metro.id == bindparam("wanted"))


async def get_metro(session: AsyncSession, metro_id: UUID) -> Metro:
    row = (await session.execute(_BY_ID, {"wanted": metro_id})).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such metro.", path="metroId")
    return _of(row)


async def find_metros(session: AsyncSession, metro_ids: Sequence[UUID]) -> dict[UUID, Metro]:
    rows = await session.execute(_select().where(tables.Metro.id.in_(metro_ids)))
    return {row.id: _of(row) for row in rows}


async def get_default_metro(session: AsyncSession) -> Metro:
    row = (await session.execute(_select().where(tables.Metro.is_default))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no metro yet. Run `nimrod seed`.", path="metroId")
    return _of(row)


async def list_metros(session: AsyncSession) -> list[Metro]:
    """All of them, the default one first, 1,000 at most."""
    rows = await session.execute(_select().order_by(tables.Metro.is_default.desc(), tables.Metro.name).limit(1000))
    return [_of(row) for row in rows]
