"""Rows for tests, one factory a table: what a test does not name is plausible."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import h3
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.ext.asyncio import AsyncSession

from app.gateways.payments import VISA, simulated_card, simulated_customer
from domain import ids, tables
from domain.actor import Actor, Audience, Role
from domain.channels import Channel, DeliveryState
from domain.places import fold
from domain.tables.geography import H3_RESOLUTION
from domain.values import LatLng, LicenceState, NotificationKind, ReservationState, SavedPlaceKind, VehicleState, VehicleType

#: before any test's clock
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
CENTER = LatLng(49.4036, 8.6757)
#: where no test looks
FAR = LatLng(49.2, 8.5)
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


def square(at: LatLng = CENTER, half_degrees: float = 0.001) -> dict[str, Any]:
    """A GeoJSON MultiPolygon around a point."""
    west, south, east, north = at.lon - half_degrees, at.lat - half_degrees, at.lon + half_degrees, at.lat + half_degrees
    return {
        "type": "MultiPolygon",
        "coordinates": [[[[west, south], [east, south], [east, north], [west, north], [west, south]]]],
    }


async def add_zone(session: AsyncSession, metro: tables.Metro, name: str = "Old town", **given: Any) -> tables.Zone:
    columns: dict[str, Any] = {
        "metro_id": metro.id,
        "name": name,
        "geometry": square(),
        "ride_start_allowed": True,
        "ride_end_allowed": False,
        "ride_through_allowed": True,
        "maximum_speed_kph": None,
    }
    return await _added(session, tables.Zone(**{**columns, **given}))


async def add_customer(session: AsyncSession, *, has_licence: bool = True, **given: Any) -> tables.Customer:
    """Who may drive cars and vans, unless told otherwise."""
    number = next(_numbers)
    columns: dict[str, Any] = {"email": f"rider-{number}@example.org", "name": f"Rider {number}", "created_at": CREATED}
    customer = await _added(session, tables.Customer(**{**columns, **given}))
    if has_licence:
        await add_licence(session, customer.id)
    return customer


async def add_licence(session: AsyncSession, customer_id: UUID, **given: Any) -> tables.DrivingLicence:
    columns: dict[str, Any] = {
        "customer_id": customer_id,
        "id": ids.new(),
        "country_code": "DE",
        "number_digest": ids.new().bytes,
        "number_ending": "1234",
        "expires_on": date(2040, 1, 1),
        "categories": ["B"],
        "state": LicenceState.VERIFIED,
        "submitted_at": CREATED,
        "decided_at": CREATED,
        "checks": 1,
    }
    return await _added(session, tables.DrivingLicence(**{**columns, **given}))


async def add_payment_method(session: AsyncSession, customer_id: UUID, token: str = VISA, **given: Any) -> tables.PaymentMethod:
    """A simulated card, the default; `token` is one of those that `app/gateways/payments.py` knows."""
    customers = tables.Customer
    customer_ref = simulated_customer(customer_id)
    await session.execute(update(customers).where(customers.id == customer_id).values(gateway_ref=customer_ref))
    card = simulated_card(customer_ref, token, str(next(_numbers)))
    columns: dict[str, Any] = {
        "customer_id": customer_id,
        "gateway_ref": card.gateway_ref,
        "brand": card.brand,
        "last4": card.last4,
        "expires_month": card.expires_month,
        "expires_year": card.expires_year,
        "is_default": True,
        "created_at": CREATED,
    }
    return await _added(session, tables.PaymentMethod(**{**columns, **given}))


async def add_receipt(session: AsyncSession, metro: tables.Metro, customer_id: UUID, **given: Any) -> tables.Receipt:
    """Of twelve euros, to be paid; without lines."""
    columns: dict[str, Any] = {
        "number": f"DE-2026-{next(_numbers):06}",
        "source": tables.ReceiptSource.TRIP,
        "customer_id": customer_id,
        "metro_id": metro.id,
        "country_code": metro.country_code,
        "currency": metro.currency,
        "total_minor": 1200,
        "vat": [],
        "issued_at": CREATED,
    }
    return await _added(session, tables.Receipt(**{**columns, **given}))


async def add_saved_place(session: AsyncSession, customer_id: UUID, **given: Any) -> tables.SavedPlace:
    columns: dict[str, Any] = {
        "customer_id": customer_id,
        "kind": SavedPlaceKind.FAVOURITE,
        "name": f"Place {next(_numbers)}",
        "lat": CENTER.lat,
        "lon": CENTER.lon,
        "updated_at": CREATED,
    }
    return await _added(session, tables.SavedPlace(**{**columns, **given}))


async def add_registration(session: AsyncSession, **given: Any) -> tables.Registration:
    number = next(_numbers)
    columns: dict[str, Any] = {
        "email": f"newcomer-{number}@example.org",
        "password_hash": "hash",
        "name": f"Newcomer {number}",
        "language": "en",
        "document_version": "1",
        "created_at": CREATED,
        "expires_at": CREATED + timedelta(days=365),
    }
    return await _added(session, tables.Registration(**{**columns, **given}))


async def add_password_reset(session: AsyncSession, customer: tables.Customer, **given: Any) -> tables.PasswordReset:
    columns: dict[str, Any] = {
        "audience": Audience.CUSTOMER,
        "account_id": customer.id,
        "created_at": CREATED,
        "expires_at": CREATED + timedelta(days=365),
    }
    return await _added(session, tables.PasswordReset(**{**columns, **given}))


async def add_commute(session: AsyncSession, customer_id: UUID, metro: tables.Metro, **given: Any) -> tables.Commute:
    """Every day at ten o'clock, from the center to two kilometers north of it."""
    columns: dict[str, Any] = {
        "customer_id": customer_id,
        "metro_id": metro.id,
        "name": f"Commute {next(_numbers)}",
        "origin_label": "Center",
        "origin_lat": CENTER.lat,
        "origin_lon": CENTER.lon,
        "destination_label": "North",
        "destination_lat": CENTER.lat + 0.018,
        "destination_lon": CENTER.lon,
        "days": [1, 2, 3, 4, 5, 6, 7],
        "arrive_by": time(10),
        "modes": [VehicleType.BICYCLE.value],
        "travel_seconds": 675,
        "reminder_minutes": 60,
        "is_paused": False,
        "updated_at": CREATED,
    }
    return await _added(session, tables.Commute(**{**columns, **given}))


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


async def add_photo(session: AsyncSession, customer_id: UUID, **given: Any) -> tables.Photo:
    """Uploaded, and not used yet."""
    photo_id = ids.new()
    columns: dict[str, Any] = {
        "id": photo_id,
        "customer_id": customer_id,
        "purpose": tables.PhotoPurpose.RETURN,
        "state": tables.PhotoState.STORED,
        "requested_at": CREATED,
        "expires_at": CREATED + timedelta(minutes=10),
        "stored_at": CREATED,
        "store_key": f"photos/{photo_id}/picture.jpg",
        "sha256": bytes(32),
        "taken_at": CREATED,
    }
    return await _added(session, tables.Photo(**{**columns, **given}))


async def add_reservation(
    session: AsyncSession, vehicle: tables.Vehicle, tariff: tables.Tariff, customer_id: UUID, **given: Any
) -> tables.Reservation:
    """Confirmed, for an hour from now on."""
    now: datetime = given.get("starts_at", CREATED)
    columns: dict[str, Any] = {
        "id": ids.new(),
        "metro_id": vehicle.metro_id,
        "customer_id": customer_id,
        "vehicle_id": vehicle.id,
        "published_vehicle_id": vehicle.published_id,
        "vehicle_type": vehicle.vehicle_type,
        "tariff_id": tariff.id,
        "state": ReservationState.CONFIRMED,
        "starts_at": now,
        "blocked": Range(now, now + timedelta(hours=1)),
        "currency": tariff.currency,
        "created_at": now,
    }
    return await _added(session, tables.Reservation(**{**columns, **given}))


async def add_trip(
    session: AsyncSession, vehicle: tables.Vehicle, tariff: tables.Tariff, customer_id: UUID, **given: Any
) -> tables.Trip:
    """Over, after twenty minutes; with a reservation of its own."""
    started: datetime = given.get("started_at", CREATED)
    state = given.get("state", tables.TripState.ENDED)
    is_over = state is tables.TripState.ENDED
    ended = started + timedelta(minutes=20)
    held = ReservationState.ENDED if is_over else ReservationState.STARTED
    reservation = await add_reservation(session, vehicle, tariff, customer_id, starts_at=started, state=held)
    columns: dict[str, Any] = {
        "metro_id": vehicle.metro_id,
        "customer_id": customer_id,
        "vehicle_id": vehicle.id,
        "published_vehicle_id": vehicle.published_id,
        "vehicle_type": vehicle.vehicle_type,
        "reservation_id": reservation.id,
        "tariff_id": tariff.id,
        "state": state,
        "requested_at": started,
        "started_at": started,
        "ended_at": ended if is_over else None,
        "closed_at": ended if is_over else None,
        "end_cause": tables.TripEnd.RETURNED if is_over else None,
        "start_battery_percent": 80,
    }
    return await _added(session, tables.Trip(**{**columns, **given}))


async def add_notification(session: AsyncSession, **given: Any) -> tables.Notification:
    """Of an expired reservation."""
    columns: dict[str, Any] = {
        "kind": NotificationKind.RESERVATION_EXPIRED,
        "facts": {"vehicleType": "car", "plate": "CAR-9", "startsAt": "2026-11-20T17:00:00+00:00"},
        "created_at": CREATED,
    }
    return await _added(session, tables.Notification(**{**columns, **given}))


async def add_delivery(session: AsyncSession, notification: tables.Notification, **given: Any) -> tables.Delivery:
    """By mail, sent."""
    columns: dict[str, Any] = {
        "notification_id": notification.id,
        "channel": Channel.EMAIL,
        "state": DeliveryState.SENT,
        "attempts": 1,
        "created_at": CREATED,
        "sent_at": CREATED,
    }
    return await _added(session, tables.Delivery(**{**columns, **given}))
