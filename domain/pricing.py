"""Prices: pure functions from a tariff and a duration to money."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import distinct_on
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
    cancel_fee_minor: int = 0
    reservation_minor: int = 0
    pause_per_minute_minor: Decimal = Decimal(0)
    late_fine_minor: int = 0
    wrong_place_fine_minor: int = 0
    fee_vat: tables.VatTreatment = tables.VatTreatment.STANDARD
    deposit_minor: int = 0


COLUMNS = [_TARIFFS.c[name] for name in Tariff.__slots__]


def billed_minutes(seconds: int) -> int:
    """Every started minute counts, one at least."""
    return max(1, -(-seconds // 60))


def by_day(minutes: int) -> list[int]:
    """Of each started 24 hours: all full but the last."""
    days, rest = divmod(minutes, MINUTES_PER_DAY)
    return [MINUTES_PER_DAY] * days + [rest] * (rest > 0)


def charge_of_day(tariff: Tariff, riding: int, paused: int = 0) -> Decimal:
    """What the minutes of one started 24 hours cost: the day cap at most."""
    charge = riding * tariff.per_minute_minor + paused * tariff.pause_per_minute_minor
    return charge if tariff.day_cap_minor is None else min(charge, Decimal(tariff.day_cap_minor))


def price(tariff: Tariff, seconds: int, *, was_reserved: bool = False) -> Money:
    """VAT included, of a ride without a pause or a fine: what `meters.bill` makes of it. Rounded half up, once."""
    fees = tariff.unlock_minor + (tariff.reservation_minor if was_reserved else 0)
    minutes = (charge_of_day(tariff, each) for each in by_day(billed_minutes(seconds)))
    return Money(fees + int(sum(minutes, Decimal(0)).quantize(Decimal(1), rounding=ROUND_HALF_UP)), tariff.currency)


_IN_FORCE = (
    select(*COLUMNS)
    .where(
        _TARIFFS.c.metro_id == bindparam("metro"),
        _TARIFFS.c.vehicle_type == bindparam("vehicle_type"),
        _TARIFFS.c.valid_from <= bindparam("at"),
    )
    .order_by(_TARIFFS.c.version.desc())
    .limit(1)
)


async def find_tariffs(session: AsyncSession, metro_ids: Collection[UUID], at: datetime) -> dict[UUID, dict[VehicleType, Tariff]]:
    """The newest versions in force at that instant, by metro and type, in one statement."""
    newest = (
        select(*COLUMNS)
        .ext(distinct_on(_TARIFFS.c.metro_id, _TARIFFS.c.vehicle_type))
        .where(_TARIFFS.c.metro_id.in_(metro_ids), _TARIFFS.c.valid_from <= at)
        .order_by(_TARIFFS.c.metro_id, _TARIFFS.c.vehicle_type, _TARIFFS.c.version.desc())
    )
    found: dict[UUID, dict[VehicleType, Tariff]] = {}
    for row in await session.execute(newest):
        found.setdefault(row.metro_id, {})[row.vehicle_type] = Tariff(*row)
    return found


async def get_tariff(session: AsyncSession, metro_id: UUID, vehicle_type: VehicleType, at: datetime) -> Tariff:
    """The newest version in force at that instant."""
    given = {"metro": metro_id, "vehicle_type": vehicle_type, "at": at}
    row = (await session.execute(_IN_FORCE, given)).one_or_none()
    if row is None:
        raise errors.NotFound("There is no tariff for this vehicle type here.")
    return Tariff(*row)


async def get_tariff_version(session: AsyncSession, tariff_id: UUID) -> Tariff:
    row = (await session.execute(select(*COLUMNS).where(_TARIFFS.c.id == tariff_id))).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such tariff.")
    return Tariff(*row)
