"""Changes: reservations that move to another time or vehicle, and bookings that last longer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from sqlalchemy import Table, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    announcements,
    booking_windows,
    errors,
    eventlog,
    fleet,
    licences,
    metros,
    pricing,
    quotes,
    reservations,
    tables,
    trip_announcements,
    trips,
)
from domain.actor import Actor
from domain.tables.reservations import BLOCKING
from domain.values import OUT_OF_SERVICE, ReservationState, TimeWindow, VehicleState

_RESERVATIONS = cast(Table, tables.Reservation.__table__)


async def change_reservation(
    session: AsyncSession,
    who: Actor,
    *,
    reservation_id: UUID,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    expected_minutes: int | None = None,
    vehicle: fleet.VehicleRef | None = None,
    now: datetime,
) -> None:
    """Moves what has not begun to another time or vehicle, by the rules of reserving; what is not named stays as it is.
    The vehicle is never nobody's in between: the old and the new window change hands in one statement.

    Raises InvalidInput, NotFound, ReservationClosed, VehicleUnavailable. A caller that catches these must roll back.
    """
    if (starts_at, ends_at, expected_minutes, vehicle) == (None, None, None, None):
        raise errors.InvalidInput.of("reservationId", "Say what changes: startsAt, endsAt, expectedMinutes or vehicleId.")
    row = await reservations.lock_reservation(session, who, reservation_id)
    _must_be_ahead(row, now)
    old, new = await _lock_both(session, row, vehicle)
    quote = await _quote_move(session, row, new, starts_at or row.starts_at, ends_at, expected_minutes, now)
    who.require_metro(quote.metro.id)
    if new.id != old.id:
        reservations.must_be_in_service(quote)
    elif new.state in OUT_OF_SERVICE:
        raise reservations.unavailable(f"The vehicle is {new.state} now.", quote)
    if not new.vehicle_type.is_micromobility:
        await licences.require_licence(session, row.customer_id, quote.window)
    same_price = expected_minutes is None and quote.window.ends_at is None and new.vehicle_type is row.vehicle_type
    price = row.quoted_minor if same_price else (quote.price.minor_units if quote.price else None)
    _keep_the_limit(row, quote, now)
    await _move(session, row, quote, price)
    events = announcements.drafts(row, new.plate, "changed")
    if (new.vehicle_type.is_micromobility or row.starts_at <= now) and new.state is VehicleState.AVAILABLE:
        taken = await fleet.set_state(session, new, VehicleState.RESERVED, now=now)
        events.append(fleet.changed(taken, new.state))
    if new.id != old.id and (freed := await _freed(session, old, now)):
        events.append(fleet.changed(freed, old.state))
    await eventlog.append_all(session, events)


def _must_be_ahead(row: tables.Reservation, now: datetime) -> None:
    if row.state is not ReservationState.CONFIRMED:
        raise errors.ReservationClosed(f"The reservation is {row.state} and cannot be changed.", path="reservationId")
    if row.starts_at <= now:
        way_out = "cancel it and hold again" if row.ends_at is None else "it can still be extended or cancelled"
        raise errors.ReservationClosed(
            f"The reservation has begun at {row.starts_at:%Y-%m-%dT%H:%M:%SZ} and cannot be changed; {way_out}.",
            path="reservationId",
        )


async def _lock_both(
    session: AsyncSession, row: tables.Reservation, ref: fleet.VehicleRef | None
) -> tuple[fleet.Vehicle, fleet.Vehicle]:
    """The vehicle it has and the one it shall have, locked in the order of their ids."""
    # Its published id may have changed since it was reserved; riders keep naming the one they see.
    keeps = ref is None or ref.id == (row.published_vehicle_id if ref.published else row.vehicle_id)
    wanted = row.vehicle_id if keeps or ref is None else (await fleet.get_vehicle(session, ref)).id
    locked = await fleet.lock_vehicles(session, {row.vehicle_id, wanted})
    old, new = locked[row.vehicle_id], locked[wanted]
    if new.metro_id != row.metro_id:
        raise errors.InvalidInput.of("vehicleId", "That vehicle is in another metro: cancel this one and reserve there.")
    if new.vehicle_type.is_micromobility != row.vehicle_type.is_micromobility:
        raise errors.InvalidInput.of(
            "vehicleId",
            "A hold of a scooter or bike does not become a booking of a car or van, nor the other way round:"
            " cancel this one and reserve the other.",
        )
    return old, new


async def _quote_move(
    session: AsyncSession,
    row: tables.Reservation,
    vehicle: fleet.Vehicle,
    starts_at: datetime,
    ends_at: datetime | None,
    expected_minutes: int | None,
    now: datetime,
) -> quotes.Quote:
    """By the tariff version that it has, as long as it stays a reservation of that type of vehicle."""
    metro = await metros.get_metro(session, row.metro_id)
    window = booking_windows.moved(
        vehicle.vehicle_type,
        metro,
        starts_at=starts_at,
        ends_at=ends_at or row.ends_at,
        made_at=row.created_at,
        now=now,
    )
    if vehicle.vehicle_type is row.vehicle_type:
        tariff = await pricing.get_tariff_version(session, row.tariff_id)
    else:
        tariff = await pricing.get_tariff(session, metro.id, vehicle.vehicle_type, now)
    return quotes.priced(vehicle, metro, tariff, window, expected_minutes)


def _keep_the_limit(row: tables.Reservation, quote: quotes.Quote, now: datetime) -> None:
    """Cancelling is free until as long before the new start; but who is late already does not escape the fee by moving."""
    if row.cancel_free_until is not None and now > row.cancel_free_until and row.late_cancel_minor:
        return
    row.cancel_free_until = booking_windows.free_cancellation(
        quote.vehicle.vehicle_type, quote.metro, starts_at=quote.window.starts_at, made_at=row.created_at
    )
    row.late_cancel_minor = quote.tariff.cancel_fee_minor


async def _move(session: AsyncSession, row: tables.Reservation, quote: quotes.Quote, quoted_minor: int | None) -> None:
    """One statement, which the exclusion constraint takes or refuses."""
    if quote.vehicle.id != row.vehicle_id:
        row.published_vehicle_id = quote.vehicle.published_id
    row.vehicle_id = quote.vehicle.id
    row.vehicle_type = quote.vehicle.vehicle_type
    row.tariff_id = quote.tariff.id
    row.starts_at = quote.window.starts_at
    row.ends_at = quote.window.ends_at
    row.lapses_at = quote.window.lapses_at
    row.blocked = Range(quote.window.blocked.starts_at, quote.window.blocked.ends_at)
    row.quoted_minor = quoted_minor
    try:
        await session.flush()
    except IntegrityError as error:
        raise reservations.refusal_of(error, quote) from error


async def _freed(session: AsyncSession, vehicle: fleet.Vehicle, now: datetime) -> fleet.Vehicle | None:
    if vehicle.state is not VehicleState.RESERVED or await reservations.holds_now(session, vehicle.id, now):
        return None
    return await fleet.set_state(session, vehicle, VehicleState.AVAILABLE, now=now)


async def extend_reservation(
    session: AsyncSession, who: Actor, *, reservation_id: UUID, ends_at: datetime, now: datetime
) -> None:
    """Gives a booking a later end, also while it runs. A refusal for another's sake says how long the vehicle is free.

    Raises InvalidInput, NotFound, ReservationClosed, VehicleUnavailable. A caller that catches these must roll back.
    """
    trip = await trips.lock_trip_of(session, reservation_id)
    row = await reservations.lock_reservation(session, who, reservation_id)
    if row.state not in BLOCKING or (row.ends_at is not None and row.ends_at <= now):
        over = row.state if row.state not in BLOCKING else "over"
        raise errors.ReservationClosed(f"The reservation is {over} and cannot be extended.", path="reservationId")
    metro = await metros.get_metro(session, row.metro_id)
    before = booking_windows.Window(
        row.starts_at, row.ends_at, row.lapses_at, TimeWindow(row.starts_at, row.ends_at or row.starts_at)
    )
    window = booking_windows.extended(metro, before, ends_at)
    vehicle = (await fleet.lock_vehicles(session, [row.vehicle_id]))[row.vehicle_id]
    tariff = await pricing.get_tariff_version(session, row.tariff_id)
    quote = quotes.priced(vehicle, metro, tariff, window)
    if vehicle.state in OUT_OF_SERVICE:
        raise reservations.unavailable(f"The vehicle is {vehicle.state} now.", _from_then_on(quote, before))
    await licences.require_licence(session, row.customer_id, window)
    latest = await free_until(session, row, metro)
    try:
        await _move(session, row, quote, quote.price.minor_units if quote.price else None)
    except errors.VehicleUnavailable as refusal:
        refusal.free_until = latest
        refusal.path = ["endsAt"]
        refusal.quote = _from_then_on(quote, before)
        raise
    await eventlog.append_all(session, announcements.drafts(row, vehicle.plate, "changed"))
    if trip is not None:
        await trip_announcements.announce(session, trip)


async def free_until(session: AsyncSession, row: tables.Reservation, metro: metros.Metro) -> datetime:
    """How far a booking could be extended: exact as long as the vehicle is locked."""
    query = select(func.min(func.lower(_RESERVATIONS.c.blocked))).where(
        _RESERVATIONS.c.vehicle_id == row.vehicle_id,
        _RESERVATIONS.c.state.in_(BLOCKING),
        _RESERVATIONS.c.starts_at >= row.ends_at,
    )
    follower: datetime | None = (await session.execute(query)).scalar_one()
    longest = row.starts_at + timedelta(days=metro.booking_max_days)
    return longest if follower is None else min(follower, longest)


def _from_then_on(quote: quotes.Quote, before: booking_windows.Window) -> quotes.Quote:
    """What another vehicle would have to be free for: the time that this one is not."""
    rest = TimeWindow(before.blocked.ends_at, quote.window.blocked.ends_at)
    return replace(quote, window=replace(quote.window, starts_at=rest.starts_at, blocked=rest))
