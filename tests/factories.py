"""Rows for tests, one factory a table: what a test does not name is plausible."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import h3
from sqlalchemy.ext.asyncio import AsyncSession

from domain import ids, tables
from domain.actor import Actor, Audience, Role
from domain.places import fold
from domain.tables.geography import H3_RESOLUTION
from domain.values import LatLng, VehicleState, VehicleType

#: before any test's clock
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
CENTER = LatLng(49.4036, 8.6757)
_numbers = itertools.count(1)
R = TypeVar("R", bound=tables.Base)


def cell(point: LatLng) -> int:
    return int(h3.str_to_int(h3.latlng_to_cell(point.lat, point.lon, H3_RESOLUTION)))


async def _added(session: AsyncSession, row: R) -> R:
    session.add(row)
    await session.flush()
    return row


async def add_metro(session: AsyncSession, **given: Any) -> tables.Metro:
    number = next(_numbers)
    columns: dict[str, Any] = {
        "slug": f"metro-{number}",
        "name": f"Metro {number}",
        "country_code": "DE",
        "timezone": "Europe/Berlin",
        "currency": "EUR",
        "languages": ["en", "de"],
        "lat": CENTER.lat,
        "lon": CENTER.lon,
        "south": 49.3,
        "west": 8.6,
        "north": 49.5,
        "east": 8.8,
        "map_digest": f"digest-{number}",
        "attribution": "© OpenStreetMap contributors",
        "created_at": CREATED,
    }
    return await _added(session, tables.Metro(**{**columns, **given}))


async def add_tariff(
    session: AsyncSession, metro: tables.Metro, vehicle_type: VehicleType = VehicleType.BICYCLE, **given: Any
) -> tables.Tariff:
    columns: dict[str, Any] = {
        "metro_id": metro.id,
        "vehicle_type": vehicle_type,
        "version": 1,
        "currency": metro.currency,
        "unlock_minor": 100,
        "per_minute_minor": Decimal("19"),
        "vat_percent": Decimal("19"),
        "valid_from": CREATED,
    }
    return await _added(session, tables.Tariff(**{**columns, **given}))


async def add_vehicle(
    session: AsyncSession,
    metro: tables.Metro,
    vehicle_type: VehicleType = VehicleType.BICYCLE,
    *,
    at: LatLng = CENTER,
    state: VehicleState = VehicleState.AVAILABLE,
    **given: Any,
) -> tables.Vehicle:
    columns: dict[str, Any] = {
        "published_id": ids.new(),
        "metro_id": metro.id,
        "vehicle_type": vehicle_type,
        "state": state,
        "plate": f"N-{next(_numbers)}",
        "battery_percent": 80,
        "current_range_meters": 40_000,
        "lat": at.lat,
        "lon": at.lon,
        "h3_cell": cell(at),
        "updated_at": CREATED,
    }
    return await _added(session, tables.Vehicle(**{**columns, **given}))


async def add_place(session: AsyncSession, metro: tables.Metro, name: str, *, at: LatLng = CENTER, **given: Any) -> tables.Place:
    columns: dict[str, Any] = {
        "metro_id": metro.id,
        "name": name,
        "name_folded": fold(name),
        "kind": "tourism=attraction",
        "importance": 50,
        "lat": at.lat,
        "lon": at.lon,
        "h3_cell": cell(at),
        "osm_ref": f"node/{next(_numbers)}",
    }
    return await _added(session, tables.Place(**{**columns, **given}))


async def add_station(session: AsyncSession, metro: tables.Metro, name: str = "Station", **given: Any) -> tables.Station:
    columns: dict[str, Any] = {
        "metro_id": metro.id,
        "name": name,
        "lat": CENTER.lat,
        "lon": CENTER.lon,
        "h3_cell": cell(CENTER),
        "capacity": 10,
        "is_charging_station": True,
        "osm_ref": f"node/{next(_numbers)}",
    }
    return await _added(session, tables.Station(**{**columns, **given}))


async def add_customer(session: AsyncSession, **given: Any) -> tables.Customer:
    number = next(_numbers)
    columns: dict[str, Any] = {"email": f"rider-{number}@example.org", "name": f"Rider {number}", "created_at": CREATED}
    return await _added(session, tables.Customer(**{**columns, **given}))


async def add_staff(
    session: AsyncSession, role: Role = Role.DISPATCHER, *, metro_ids: list[UUID] | None = None, **given: Any
) -> tables.Staff:
    number = next(_numbers)
    columns: dict[str, Any] = {
        "email": f"staff-{number}@example.org",
        "name": f"Staff {number}",
        "role": role,
        "metro_ids": metro_ids,
        "created_at": CREATED,
    }
    return await _added(session, tables.Staff(**{**columns, **given}))


def rider(customer: tables.Customer) -> Actor:
    return Actor(Audience.CUSTOMER, customer.id, Role.RIDER, session_id=ids.new())


def member(staff: tables.Staff) -> Actor:
    metros = None if staff.metro_ids is None else frozenset(staff.metro_ids)
    return Actor(Audience.OPS, staff.id, staff.role, session_id=ids.new(), metro_ids=metros)


async def add_rider(session: AsyncSession, **given: Any) -> Actor:
    return rider(await add_customer(session, **given))


async def add_member(session: AsyncSession, role: Role = Role.DISPATCHER, *metros: tables.Metro) -> Actor:
    """A member of staff who works in these metros; without any, in all of them."""
    return member(await add_staff(session, role, metro_ids=[metro.id for metro in metros] or None))


async def add_conversation(session: AsyncSession, who: Actor, metro: tables.Metro, **given: Any) -> tables.Conversation:
    columns: dict[str, Any] = {"customer_id": who.account_id, "metro_id": metro.id, "created_at": CREATED}
    return await _added(session, tables.Conversation(**{**columns, **given}))
