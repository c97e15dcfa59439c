"""Unlocks: a trip begins with a lock that opens, for who stands at the vehicle and may ride it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    announcements,
    booking_windows,
    debts,
    deposits,
    errors,
    eventlog,
    fleet,
    ids,
    licences,
    lock_commands,
    metros,
    pricing,
    quotes,
    reservations,
    tables,
    trip_announcements,
    trip_ends,
    trips,
    zones,
)
from domain.actor import Actor
from domain.tables import TripEnd, TripState, TripStep
from domain.values import LatLng, Money, ReservationState, TimeWindow, VehicleState

#: how long a bank may take to hold the deposit
BANK_PATIENCE = timedelta(minutes=2)

_rows = tables.Reservation
_vehicles = tables.Vehicle


async def unlock_vehicle(
    session: AsyncSession,
    who: Actor,
    *,
    vehicle: fleet.VehicleRef | None = None,
    nfc_token: str | None = None,
    reservation_id: UUID | None = None,
    position: LatLng | None = None,
    ends_at: datetime | None = None,
    trip_id: UUID,
    now: datetime,
) -> trips.Trip:
    """Begins the rider's own reservation of the vehicle, or one made on the spot: of a car or van until `ends_at`. The vehicle is
    named by its tag, or by its id from a position near it. Nothing is charged before the lock has opened.

    Raises InvalidInput, NotFound, TripOpen, DebtOpen, PaymentMethodRequired, ReservationClosed, VehicleUnavailable,
    VehicleBusy, and of cars and vans DrivingLicenceRequired. A caller that catches these must roll back.
    """
    await _take_rider(session, who)
    if (ridden := await trips.find_open_trip(session, who.account_id)) is not None:
        raise errors.TripOpen(ridden.id)
    vehicle_id = await _find_vehicle(session, who, vehicle, nfc_token)
    held = await _lock_held(session, who, vehicle_id, reservation_id, ends_at, now)
    quote = await _quote(session, vehicle_id, held, ends_at, now)
    _must_stand_ready(quote, is_held=held is not None)
    if nfc_token is None:
        _must_be_near(quote, position)
    await _must_start_here(session, quote)
    if not quote.vehicle.vehicle_type.is_micromobility:
        await licences.require_licence(session, who.account_id, quote.window)
    await debts.require_solvent(session, who.account_id, quote.tariff.currency, now)
    began = await _begin(session, who, quote, held, now)
    row = _trip(quote, began, trip_id, now, is_walk_up=held is None)
    session.add(row)
    if quote.tariff.deposit_minor:
        await _hold_deposit(session, row, quote.tariff, now)
    else:
        await lock_commands.ask(session, row, TripStep.UNLOCK, now=now)
    await trip_announcements.announce(session, row)
    return await trips.get_trip(session, who, trip_id)


async def _take_rider(session: AsyncSession, who: Actor) -> None:
    """One at a time unlocks for a rider, and none while the account is erased."""
    customers = tables.Customer
    account = select(customers.id).where(customers.id == who.account_id, customers.erased_at.is_(None))
    if (await session.execute(account.with_for_update(key_share=True))).scalar_one_or_none() is None:
        raise errors.NotFound("There is no such customer.")


async def _find_vehicle(session: AsyncSession, who: Actor, vehicle: fleet.VehicleRef | None, nfc_token: str | None) -> UUID:
    if (vehicle is None) == (nfc_token is None):
        raise errors.InvalidInput.of("vehicleId", "Name the vehicle by its id or by its tag, one of them.")
    if vehicle is None:
        path, named = "nfcToken", select(_vehicles.id).where(_vehicles.nfc_token == nfc_token)
    else:
        path, named = "vehicleId", _named(who, vehicle)
    found = (await session.execute(named)).scalars().first()
    if found is None:
        raise errors.NotFound("There is no such vehicle.", path=path)
    return found


def _named(who: Actor, ref: fleet.VehicleRef) -> Select[UUID]:
    if not ref.published:
        return select(_vehicles.id).where(_vehicles.id == ref.id)
    # Its published id may have changed since it was reserved; riders keep naming the one they see.
    reserved = select(_rows.vehicle_id).where(
        _rows.customer_id == who.account_id,
        _rows.published_vehicle_id == ref.id,
        _rows.state == ReservationState.CONFIRMED,
    )
    return select(_vehicles.id).where(or_(_vehicles.published_id == ref.id, _vehicles.id.in_(reserved)))


async def _lock_held(
    session: AsyncSession,
    who: Actor,
    vehicle_id: UUID,
    reservation_id: UUID | None,
    ends_at: datetime | None,
    now: datetime,
) -> tables.Reservation | None:
    """The reservation that begins: the one that was named, else the rider's own of that vehicle which may begin now."""
    if reservation_id is None:
        reservation_id = await _find_held(session, who, vehicle_id, now)
        if reservation_id is None:
            return None
    row = await reservations.lock_reservation(session, who, reservation_id)
    over_at = row.lapses_at or row.ends_at
    if row.state is not ReservationState.CONFIRMED or (over_at is not None and over_at <= now):
        over = row.state if row.state is not ReservationState.CONFIRMED else "over"
        raise errors.ReservationClosed(f"The reservation is {over} and cannot begin.", path="reservationId")
    if row.vehicle_id != vehicle_id:
        raise errors.InvalidInput.of("vehicleId", "This is not the vehicle that you reserved.")
    if row.ends_at is not None and row.starts_at > now + booking_windows.START_GRACE:
        raise errors.InvalidInput.of("reservationId", f"The booking begins at {row.starts_at:%Y-%m-%dT%H:%M:%SZ}.")
    if ends_at is not None and ends_at != row.ends_at:
        raise errors.InvalidInput.of("endsAt", "The reservation has its own end: leave endsAt out, or extend the booking.")
    return row


async def _find_held(session: AsyncSession, who: Actor, vehicle_id: UUID, now: datetime) -> UUID | None:
    """A hold may begin before its start: nobody else could ride in between. A booking may not."""
    query = select(_rows.id).where(
        _rows.customer_id == who.account_id,
        _rows.vehicle_id == vehicle_id,
        _rows.state == ReservationState.CONFIRMED,
        or_(_rows.lapses_at > now, _rows.ends_at > now),
        or_(_rows.ends_at.is_(None), _rows.starts_at <= now + booking_windows.START_GRACE),
    )
    return (await session.execute(query.order_by(_rows.starts_at, _rows.id).limit(1))).scalar_one_or_none()


async def _quote(
    session: AsyncSession, vehicle_id: UUID, held: tables.Reservation | None, ends_at: datetime | None, now: datetime
) -> quotes.Quote:
    """With the vehicle locked. What is reserved keeps the version that it was quoted. Who unlocks at once holds nothing for
    nothing: no cool-down applies."""
    ref = fleet.VehicleRef(vehicle_id, published=False)
    if held is None:
        return await quotes.quote_reservation(session, vehicle=ref, starts_at=now, ends_at=ends_at, now=now, lock=True)
    vehicle = await fleet.get_vehicle(session, ref, lock=True)
    metro = await metros.get_metro(session, held.metro_id)
    tariff = await pricing.get_tariff_version(session, held.tariff_id)
    blocked = TimeWindow(held.blocked.lower or held.starts_at, held.blocked.upper or held.starts_at)
    return quotes.priced(vehicle, metro, tariff, booking_windows.Window(held.starts_at, held.ends_at, held.lapses_at, blocked))


def _must_stand_ready(quote: quotes.Quote, *, is_held: bool) -> None:
    state = quote.vehicle.state
    if state is VehicleState.AVAILABLE or (is_held and state is VehicleState.RESERVED):
        return
    reason = "Somebody else has reserved this vehicle." if state is VehicleState.RESERVED else f"The vehicle is {state} now."
    raise reservations.unavailable(reason, quote)


def _must_be_near(quote: quotes.Quote, position: LatLng | None) -> None:
    radius = quote.metro.unlock_radius_meters
    if position is None:
        raise errors.InvalidInput.of("position", "Say where you are, or unlock the vehicle by its tag.")
    if quote.vehicle.position.meters_to(position) > radius:
        raise errors.InvalidInput.of(
            "position", f"You are more than {radius} m away from the vehicle: go there, or unlock it by its tag."
        )


async def _must_start_here(session: AsyncSession, quote: quotes.Quote) -> None:
    zone = await zones.find_no_start(session, quote.vehicle.metro_id, quote.vehicle.position)
    if zone is not None:
        message = f"No ride may start in {zone.name}: take a vehicle that stands outside of it."
        raise reservations.unavailable(message, quote)


async def _begin(
    session: AsyncSession, who: Actor, quote: quotes.Quote, held: tables.Reservation | None, now: datetime
) -> tables.Reservation:
    """The reservation has started, and the vehicle is kept for it until the lock has answered."""
    if held is None:
        row = await reservations.write_reservation(
            session, quote, who.account_id, ids.new(), state=ReservationState.STARTED, now=now
        )
    else:
        row, row_from = held, held.blocked.lower or held.starts_at
        row.state = ReservationState.STARTED
        row.blocked = Range(min(row_from, now), row.blocked.upper)
        try:
            await session.flush()
        except IntegrityError as error:
            raise reservations.refusal_of(error, quote) from error
    events = announcements.drafts(row, quote.vehicle.plate)
    if quote.vehicle.state is VehicleState.AVAILABLE:
        kept = await fleet.set_state(session, quote.vehicle, VehicleState.RESERVED, now=now)
        events.append(fleet.changed(kept, quote.vehicle.state))
    await eventlog.append_all(session, events)
    return row


def _trip(quote: quotes.Quote, began: tables.Reservation, trip_id: UUID, now: datetime, *, is_walk_up: bool) -> tables.Trip:
    vehicle = quote.vehicle
    return tables.Trip(
        id=trip_id,
        metro_id=vehicle.metro_id,
        customer_id=began.customer_id,
        vehicle_id=vehicle.id,
        published_vehicle_id=began.published_vehicle_id,
        vehicle_type=vehicle.vehicle_type,
        reservation_id=began.id,
        is_walk_up=is_walk_up,
        tariff_id=quote.tariff.id,
        state=TripState.PREPARING,
        requested_at=now,
        start_battery_percent=vehicle.battery_percent,
        distance_meters=0,
    )


async def _hold_deposit(session: AsyncSession, row: tables.Trip, tariff: pricing.Tariff, now: datetime) -> None:
    """The lock is asked once the bank has said yes: `trips.deposit_decided`."""
    row.awaits, row.awaits_until = TripStep.AUTHORIZATION, now + BANK_PATIENCE
    await session.flush()
    amount = Money(tariff.deposit_minor, tariff.currency)
    await deposits.authorize_deposit(session, trip_id=row.id, customer_id=row.customer_id, amount=amount, now=now)


async def opened(session: AsyncSession, row: tables.Trip, vehicle: tables.Vehicle, *, now: datetime) -> None:
    """The lock has opened: from now on it costs."""
    row.state, row.started_at = TripState.IN_USE, now
    row.awaits = row.awaits_until = None
    row.start_lat, row.start_lon = vehicle.lat, vehicle.lon
    row.start_battery_percent = vehicle.battery_percent
    vehicle.station_id = None
    await trip_ends.set_vehicle(session, vehicle, VehicleState.ON_TRIP, now=now)
    await trip_announcements.announce(session, row)


async def not_opened(session: AsyncSession, row: tables.Trip, *, now: datetime) -> None:
    await trip_ends.give_up(session, row, TripEnd.UNLOCK_FAILED, now=now)
