"""Prices: pure functions from a tariff and a duration to money."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, tables
from domain.values import Money, VehicleType

_TARIFFS = tables.Tariff.__table__
MINUTES_PER_DAY = 24 * 60


@dataclass(frozen=True, slots=True)
class Tariff:
    id: UUID
    metro_id: UUID
    vehicle_type: VehicleType
    version: int
    currency: str
    unlock_minor: int
    per_minute_minor: Decimal
    day_cap_minor: int | None
    vat_percent: Decimal


_COLUMNS = [_TARIFFS.c[name] for name in Tariff.__slots__]


def billed_minutes(seconds: int) -> int:
    """Every started minute counts, one at least."""
    return max(1, -(-seconds // 60))


def price(tariff: Tariff, seconds: int) -> Money:
    """VAT included. Unlock fee plus minutes; each started 24 h costs the day cap at most. Rounded half up, once."""
    minutes = billed_minutes(seconds)
    days, rest = divmod(minutes, MINUTES_PER_DAY)
    if tariff.day_cap_minor is None:
        riding = minutes * tariff.per_minute_minor
    else:
        cap = Decimal(tariff.day_cap_minor)
        full_day = min(MINUTES_PER_DAY * tariff.per_minute_minor, cap)
        riding = days * full_day + min(rest * tariff.per_minute_minor, cap)
    total = (tariff.unlock_minor + riding).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return Money(int(total), tariff.currency)


_IN_FORCE = (
    select(*_COLUMNS)
    .where(
        _TARIFFS.c.metro_id == bindparam("metro"),
        _TARIFFS.c.vehicle_type == bindparam("vehicle_type"),
        _TARIFFS.c.valid_from <= bindparam("at"),
    )
    .order_by(_TARIFFS.c.version.desc())
    .limit(1)
)


async def get_tariff(session: AsyncSession, metro_id: UUID, vehicle_type: VehicleType, at: datetime) -> Tariff:
    """The newest version in force at that instant."""
    given = {"metro": metro_id, "vehicle_type": vehicle_type, "at": at}
    row = (await session.execute(_IN_FORCE, given)).one_or_none()
    if row is None:
        raise errors.NotFound("There is no tariff for this vehicle type here.")
    return Tariff(*row)


async def get_tariff_version(session: AsyncSession, tariff_id: UUID) -> Tariff:
    row = (await session.execute(select(*_COLUMNS).where(_TARIFFS.c.id == tariff_id))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such tariff.")
    return Tariff(*row)
