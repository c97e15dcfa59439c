"""Quotes: what a reservation would cost and block, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, null, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from domain import booking_windows, cool_downs, errors, fleet, metros, pricing, search, tables
from domain.values import Money, TimeWindow

_VEHICLES = tables.Vehicle.__table__
_METROS = tables.Metro.__table__
_TARIFFS = tables.Tariff.__table__


@dataclass(frozen=True, slots=True)
class Quote:
    vehicle: fleet.Vehicle
    metro: metros.Metro
    tariff: pricing.Tariff
    window: booking_windows.Window
    #: None when open-ended and no duration is expected
    price: Money | None


async def quote_reservation(
    session: AsyncSession,
    *,
    vehicle: fleet.VehicleRef,
    starts_at: datetime,
    ends_at: datetime | None,
    expected_minutes: int | None = None,
    now: datetime,
    tariff_id: UUID | None = None,
    customer_id: UUID | None = None,
    lock: bool = False,
) -> Quote:
    """What reserving would cost and block, by the same rules, without writing anything. `lock` holds the vehicle's row
    until the transaction ends. `tariff_id` is the version that was shown before, if one was. `customer_id` is who wants it.

    Raises InvalidInput, NotFound, CoolDown. That another reservation overlaps only the database decides.
    """
    found, metro, tariff = await _read(session, vehicle, tariff_id, customer_id, now=now, lock=lock)
    window = booking_windows.window_for(found.vehicle_type, metro, starts_at=starts_at, ends_at=ends_at, now=now)
    return priced(found, metro, tariff, window, expected_minutes)


def priced(
    vehicle: fleet.Vehicle,
    metro: metros.Metro,
    tariff: pricing.Tariff,
    window: booking_windows.Window,
    expected_minutes: int | None = None,
) -> Quote:
    """The window of a booking has a price; a hold has one when it is said how long it will be ridden. Raises InvalidInput."""
    if expected_minutes is not None and expected_minutes < 1:
        raise errors.InvalidInput.of("expectedMinutes", "expectedMinutes is 1 or more.")
    seconds = expected_minutes * 60 if expected_minutes else None
    if window.ends_at is not None:
        seconds = int((window.ends_at - window.starts_at).total_seconds())
    price = pricing.price(tariff, seconds, was_reserved=True) if seconds else None
    return Quote(vehicle, metro, tariff, window, price)


@cache
def _statement(*, by_published_id: bool, has_version: bool, has_customer: bool, lock: bool) -> Select[Any]:
    """Vehicle, metro and tariff in one round trip, and how long the customer may hold nothing."""
    wanted = _VEHICLES.c.published_id if by_published_id else _VEHICLES.c.id
    version = select(*pricing.COLUMNS)
    if has_version:
        version = version.where(_TARIFFS.c.id == bindparam("tariff"))
    else:
        version = version.where(
            _TARIFFS.c.metro_id == _VEHICLES.c.metro_id,
            _TARIFFS.c.vehicle_type == _VEHICLES.c.vehicle_type,
            _TARIFFS.c.valid_from <= bindparam("at"),
        )
        version = version.order_by(_TARIFFS.c.version.desc()).limit(1)
    tariff = version.lateral("tariff")
    rows = fleet.WITH_STATION.join(_METROS, _METROS.c.id == _VEHICLES.c.metro_id).outerjoin(tariff, true())
    cool_down = cool_downs.COLUMN if has_customer else null()
    columns = (*fleet.COLUMNS, *metros.COLUMNS, cool_down, *tariff.c)
    query = select(*columns).select_from(rows).where(wanted == bindparam("vehicle"))
    # What waits for the lock reads the vehicle again, and the position of the log as it was before: repeats, but no gap.
    return query.with_for_update(of=_VEHICLES) if lock else query


async def _read(
    session: AsyncSession,
    vehicle: fleet.VehicleRef,
    tariff_id: UUID | None,
    customer_id: UUID | None,
    *,
    now: datetime,
    lock: bool,
) -> tuple[fleet.Vehicle, metros.Metro, pricing.Tariff]:
    statement = _statement(
        by_published_id=vehicle.published, has_version=tariff_id is not None, has_customer=customer_id is not None, lock=lock
    )
    given = {"vehicle": vehicle.id, "tariff": tariff_id, "customer": customer_id, "at": now}
    row = (await session.execute(statement, given)).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such vehicle.", path="vehicleId")
    values, metro_at, cool_at = tuple(row), len(fleet.COLUMNS), len(fleet.COLUMNS) + len(metros.COLUMNS)
    metro, cool_down = metros.of_columns(values[metro_at:cool_at]), values[cool_at]
    if values[cool_at + 1] is None:
        raise errors.NotFound("There is no tariff for this vehicle type here.")
    if cool_down is not None:
        raise errors.CoolDown(cool_down, holds=metro.cool_down_holds)
    return fleet.of_columns(values[:metro_at]), metro, pricing.Tariff(*values[cool_at + 1 :])


async def find_alternatives(session: AsyncSession, quote: Quote, *, now: datetime) -> list[fleet.Vehicle]:
    """Up to three vehicles of the same type nearby that are free at that time. None while it is ridden: what is nearest, and
    how far, would tell where its rider is."""
    if quote.vehicle.is_ridden:
        return []
    return await find_free_instead(session, quote.vehicle, quote.window.blocked, now=now)


async def find_free_instead(
    session: AsyncSession, vehicle: fleet.Vehicle, window: TimeWindow, *, now: datetime
) -> list[fleet.Vehicle]:
    """Up to three of its type nearby, nearest first, that nobody has reserved in that window."""
    found = await search.find_vehicles(
        session,
        vehicle.metro_id,
        search.Area.around(vehicle.position, 2000),
        types=[vehicle.vehicle_type],
        window=window,
        now=now,
        limit=4,
    )
    return [each for each in found if each.id != vehicle.id][:3]
