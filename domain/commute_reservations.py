"""Reserving for a commute: the nearest vehicle at its origin, by the rules of any reservation."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import commutes, errors, estimates, fleet, metros, reservations, search
from domain.actor import Actor
from domain.values import LegMode, TimeWindow, VehicleType

#: how far a commuter walks
RADIUS_METERS = 1000
#: vehicles that are tried one after another
MAX_TRIES = 3


async def reserve_for_commute(
    session: AsyncSession,
    who: Actor,
    commute: commutes.Commute,
    *,
    passed_over: Collection[UUID],
    reservation_id: UUID,
    now: datetime,
) -> reservations.Reserved:
    """Holds the nearest scooter or bike, or books the nearest car or van from now on for as long as the way takes, that is
    none of `passed_over` and has charge enough. Raises what `reservations.reserve_vehicle` raises; VehicleUnavailable
    without a quote when none is near."""
    metro = await metros.get_metro(session, commute.metro_id)
    vehicle = await _nearest(session, commute, metro, passed_over, now)
    minutes = _minutes(commute, vehicle.vehicle_type)
    is_booked = not vehicle.vehicle_type.is_micromobility
    return await reservations.reserve_vehicle(
        session,
        who,
        customer_id=who.account_id,
        vehicle=fleet.VehicleRef(vehicle.id, published=False),
        starts_at=now,
        ends_at=now + timedelta(minutes=max(minutes, metro.booking_min_minutes)) if is_booked else None,
        expected_minutes=None if is_booked else minutes,
        reservation_id=reservation_id,
        now=now,
    )


async def _nearest(
    session: AsyncSession, commute: commutes.Commute, metro: metros.Metro, passed_over: Collection[UUID], now: datetime
) -> fleet.Vehicle:
    ways = [_way(commute, mode) for mode in commute.modes]
    longest = timedelta(minutes=max([_minutes(commute, mode) for mode in commute.modes] + [metro.booking_min_minutes]))
    found = await search.find_vehicles(
        session,
        commute.metro_id,
        search.Area.around(commute.origin.position, RADIUS_METERS),
        types=commute.modes,
        minimum_range_meters=ceil(max(way.distance_meters for way in ways) / (1 - estimates.RANGE_RESERVE)),
        window=TimeWindow(now, max(now + longest, search.soon(now).ends_at)),
        now=now,
        limit=MAX_TRIES,
    )
    for vehicle in found:
        if vehicle.id not in passed_over:
            return vehicle
    raise errors.VehicleUnavailable("No vehicle for this commute is free near its origin.", path="commuteId")


def _way(commute: commutes.Commute, mode: VehicleType) -> estimates.Way:
    return estimates.way(LegMode.of(mode), commute.origin.position, commute.destination.position)


def _minutes(commute: commutes.Commute, mode: VehicleType) -> int:
    """Begun minutes of the way, one at least."""
    return max(1, ceil(_way(commute, mode).duration_seconds / 60))
