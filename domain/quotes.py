"""Quotes: what a reservation would cost and block, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import booking_windows, errors, fleet, metros, pricing, search
from domain.values import Money


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
    lock: bool = False,
) -> Quote:
    """What reserving would cost and block, by the same rules, without writing anything. `lock` holds the vehicle's row
    until the transaction ends. `tariff_id` is the version that was shown before, if one was.

    Raises InvalidInput, NotFound, and VehicleUnavailable when the vehicle is out of service (not when another
    reservation overlaps: only the database decides that).
    """
    found = await fleet.get_vehicle(session, vehicle, lock=lock)
    metro = await metros.get_metro(session, found.metro_id)
    window = booking_windows.window_for(found.vehicle_type, metro, starts_at=starts_at, ends_at=ends_at, now=now)
    if expected_minutes is not None and expected_minutes < 1:
        raise errors.InvalidInput.of("expectedMinutes", "expectedMinutes is 1 or more.")
    if tariff_id is None:
        tariff = await pricing.get_tariff(session, metro.id, found.vehicle_type, now)
    else:
        tariff = await pricing.get_tariff_version(session, tariff_id)
    seconds = expected_minutes * 60 if expected_minutes else None
    if window.ends_at is not None:
        seconds = int((window.ends_at - window.starts_at).total_seconds())
    return Quote(found, metro, tariff, window, pricing.price(tariff, seconds) if seconds else None)


async def find_alternatives(session: AsyncSession, quote: Quote, *, now: datetime) -> list[fleet.Vehicle]:
    """Up to three vehicles of the same type nearby that are free at that time."""
    found = await search.find_vehicles_near(
        session,
        quote.metro.id,
        quote.vehicle.position,
        radius_meters=2000,
        types=[quote.vehicle.vehicle_type],
        window=quote.window.blocked,
        now=now,
        limit=4,
    )
    return [vehicle for vehicle in found if vehicle.id != quote.vehicle.id][:3]
