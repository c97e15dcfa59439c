"""Reservations: who may hold which vehicle when."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, Select, Table, insert, select, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, fleet, ids, metros, quotes, tables
from domain.actor import Actor, Audience
from domain.values import Money, ReservationState, VehicleState, is_storable

_RESERVATIONS = cast(Table, tables.Reservation.__table__)
_INSERT = insert(_RESERVATIONS)
_VEHICLES = tables.Vehicle.__table__
MAX_REASON_LENGTH = 500
_EXCLUSION = "ex_reservations_vehicle_blocked"
_POSITION = eventlog.position_statement("(select 'dispatch:' || metro_id from reservations where id = :reservation_id)")


@dataclass(frozen=True, slots=True)
class Reservation:
    id: UUID
    metro_id: UUID
    customer_id: UUID
    published_vehicle_id: UUID
    state: ReservationState
    starts_at: datetime
    ends_at: datetime | None
    lapses_at: datetime | None
    quoted_minor: int | None
    currency: str
    cancel_reason: str | None
    created_at: datetime
    vehicle: fleet.Vehicle

    @property
    def quoted(self) -> Money | None:
        return None if self.quoted_minor is None else Money(self.quoted_minor, self.currency)


_OWN = (
    "id", "metro_id", "customer_id", "published_vehicle_id", "state", "starts_at", "ends_at", "lapses_at",
    "quoted_minor", "currency", "cancel_reason", "created_at",
)  # fmt: skip


_WRITTEN = (*_OWN, "vehicle_id", "vehicle_type", "tariff_id", "blocked")


def _select() -> Select[Any]:
    return select(*(_RESERVATIONS.c[name] for name in _OWN), *fleet.COLUMNS).select_from(
        _RESERVATIONS.join(fleet.WITH_STATION, _VEHICLES.c.id == _RESERVATIONS.c.vehicle_id)
    )


def _of(row: Row[Any]) -> Reservation:
    values = tuple(row)
    return Reservation(*(*values[: len(_OWN)], fleet.of_columns(values[len(_OWN) :])))


def _must_be_in_service(quote: quotes.Quote) -> None:
    usable: tuple[VehicleState, ...] = (VehicleState.AVAILABLE,)
    if not quote.vehicle.vehicle_type.is_micromobility:
        # Somebody may be driving it now: what counts for a car is its calendar.
        usable = (VehicleState.AVAILABLE, VehicleState.RESERVED, VehicleState.ON_TRIP, VehicleState.STOPPED)
    if quote.vehicle.state not in usable:
        raise _unavailable(f"The vehicle is {quote.vehicle.state} now.", quote)


def _unavailable(message: str, quote: quotes.Quote) -> errors.VehicleUnavailable:
    refusal = errors.VehicleUnavailable(message, path="vehicleId")
    refusal.quote = quote
    return refusal


@dataclass(frozen=True, slots=True)
class Reserved:
    reservation: Reservation
    #: before the first event of this reservation
    position: eventlog.Position


async def reserve_vehicle(
    session: AsyncSession,
    who: Actor,
    *,
    customer_id: UUID,
    vehicle: fleet.VehicleRef,
    starts_at: datetime,
    ends_at: datetime | None,
    expected_minutes: int | None = None,
    reservation_id: UUID | None = None,
    tariff_id: UUID | None = None,
    now: datetime,
) -> Reserved:
    """Holds a scooter or bike, books a car or van. Riders for themselves, staff for any rider of their metros.
    It keeps the tariff version that was quoted (`tariff_id`), else the one in force.

    Raises InvalidInput, NotFound, VehicleUnavailable. A caller that catches these must roll back.
    """
    quote = await quotes.quote_reservation(
        session,
        vehicle=vehicle,
        starts_at=starts_at,
        ends_at=ends_at,
        expected_minutes=expected_minutes,
        now=now,
        tariff_id=tariff_id,
        lock=True,
    )
    _may_reserve_for(who, customer_id, quote.metro)
    _must_be_in_service(quote)
    row = _new_row(quote, customer_id, reservation_id or ids.new(), now)
    try:
        await session.execute(_INSERT, {name: getattr(row, name) for name in _WRITTEN})
    except IntegrityError as error:
        raise _refusal(error, quote) from error
    held, events = quote.vehicle, _changed(row, quote.vehicle.plate)
    begins = held.vehicle_type.is_micromobility or quote.window.starts_at <= now
    if begins and held.state is VehicleState.AVAILABLE:
        held = replace(held, state=VehicleState.RESERVED, updated_at=now)
        taken = update(tables.Vehicle).where(tables.Vehicle.id == held.id).values(state=held.state, updated_at=now)
        await session.execute(taken)
        events.append(fleet.changed(held))
    await eventlog.append_all(session, events)
    shown = Reservation(*(*(getattr(row, name) for name in _OWN), held))
    return Reserved(shown, quote.metro.position)


def _may_reserve_for(who: Actor, customer_id: UUID, metro: metros.Metro) -> None:
    if who.audience is Audience.CUSTOMER and who.account_id != customer_id:
        raise errors.NotFound("There is no such customer.", path="customerId")
    who.require_metro(metro.id)


def _new_row(quote: quotes.Quote, customer_id: UUID, reservation_id: UUID, now: datetime) -> tables.Reservation:
    return tables.Reservation(
        id=reservation_id,
        metro_id=quote.metro.id,
        customer_id=customer_id,
        vehicle_id=quote.vehicle.id,
        published_vehicle_id=quote.vehicle.published_id,
        vehicle_type=quote.vehicle.vehicle_type,
        tariff_id=quote.tariff.id,
        state=ReservationState.CONFIRMED,
        starts_at=quote.window.starts_at,
        ends_at=quote.window.ends_at,
        lapses_at=quote.window.lapses_at,
        blocked=Range(quote.window.blocked.starts_at, quote.window.blocked.ends_at),
        quoted_minor=quote.price.minor_units if quote.price else None,
        currency=quote.tariff.currency,
        created_at=now,
    )


def _refusal(error: IntegrityError, quote: quotes.Quote) -> Exception:
    cause = getattr(error.orig, "__cause__", None)
    constraint = getattr(cause, "constraint_name", None)
    if constraint == _EXCLUSION:
        return _unavailable("Somebody has reserved this vehicle for that time.", quote)
    if constraint == "fk_reservations_customer_id":
        return errors.NotFound("There is no such customer.", path="customerId")
    return error


async def cancel_reservation(
    session: AsyncSession, who: Actor, *, reservation_id: UUID, reason: str | None = None, now: datetime
) -> UUID:
    """Frees the vehicle. Riders their own, staff any of their metros. Raises NotFound, ReservationClosed, InvalidInput."""
    if reason is not None and not (1 <= len(reason.strip()) <= MAX_REASON_LENGTH and is_storable(reason)):
        raise errors.InvalidInput.of("reason", f"A reason has 1 to {MAX_REASON_LENGTH} characters.")
    row = await _lock(session, who, reservation_id)
    if row.state is not ReservationState.CONFIRMED:
        raise errors.ReservationClosed(f"The reservation is {row.state} and cannot be cancelled.", path="reservationId")
    await close_reservation(session, row, ReservationState.CANCELLED, now, reason=reason)
    return row.id


async def _lock(session: AsyncSession, who: Actor, reservation_id: UUID) -> tables.Reservation:
    statement = select(tables.Reservation).where(tables.Reservation.id == reservation_id).with_for_update()
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None or (who.audience is Audience.CUSTOMER and row.customer_id != who.account_id):
        raise errors.NotFound("There is no such reservation.", path="reservationId")
    who.require_metro(row.metro_id)
    return row


async def close_reservation(
    session: AsyncSession, row: tables.Reservation, state: ReservationState, now: datetime, *, reason: str | None = None
) -> None:
    # The vehicle before the row is written, as in `reserve_vehicle`: the exclusion constraint waits for whoever writes it.
    vehicle = (
        await session.execute(select(tables.Vehicle).where(tables.Vehicle.id == row.vehicle_id).with_for_update())
    ).scalar_one()
    blocked_from = row.blocked.lower or row.starts_at
    row.state = state
    row.cancel_reason = reason
    row.closed_at = now
    row.blocked = Range(blocked_from, now) if blocked_from < now else Range(empty=True)
    await session.flush()
    events = _changed(row, vehicle.plate)
    if vehicle.state is VehicleState.RESERVED and not await _holds_now(session, vehicle.id, now):
        vehicle.state, vehicle.updated_at = VehicleState.AVAILABLE, now
        await session.flush()
        events.append(fleet.changed(vehicle))
    await eventlog.append_all(session, events)


async def _holds_now(session: AsyncSession, vehicle_id: UUID, now: datetime) -> bool:
    statement = select(tables.Reservation.id).where(
        tables.Reservation.vehicle_id == vehicle_id,
        tables.Reservation.state == ReservationState.CONFIRMED,
        (tables.Reservation.starts_at <= now) | tables.Reservation.lapses_at.is_not(None),
    )
    return (await session.execute(statement.limit(1))).scalar_one_or_none() is not None


def _changed(row: tables.Reservation, plate: str) -> list[eventlog.Draft]:
    """One change, told twice: to dispatch, and to the rider without what only staff see."""
    kind = f"reservation.{row.state}"
    shared = {
        "reservationId": str(row.id),
        "vehicleType": row.vehicle_type,
        "state": row.state,
        "startsAt": row.starts_at.isoformat(),
        "endsAt": row.ends_at.isoformat() if row.ends_at else None,
    }
    for_dispatch = {"customerId": str(row.customer_id), "vehicleId": str(row.vehicle_id), "plate": plate}
    for_rider = {
        "publishedVehicleId": str(row.published_vehicle_id),
        "lapsesAt": row.lapses_at.isoformat() if row.lapses_at else None,
        "quotedMinor": row.quoted_minor,
        "currency": row.currency,
    }
    return [
        (eventlog.dispatch_topic(row.metro_id), kind, shared | for_dispatch),
        (eventlog.rider_topic(row.customer_id), kind, shared | for_rider),
    ]


async def current_position(session: AsyncSession, reservation_id: UUID) -> eventlog.Position:
    """Where the stream that shows a reservation continues from what is read after this. It need not exist."""
    return eventlog.Position(*(await session.execute(_POSITION, {"reservation_id": reservation_id})).scalar_one())


async def get_reservation(session: AsyncSession, who: Actor, reservation_id: UUID) -> Reservation:
    row = (await session.execute(_select().where(_RESERVATIONS.c.id == reservation_id))).one_or_none()
    if row is None or (who.audience is Audience.CUSTOMER and row.customer_id != who.account_id):
        raise errors.NotFound("There is no such reservation.", path="reservationId")
    who.require_metro(row.metro_id)
    return _of(row)


async def list_reservations(
    session: AsyncSession,
    who: Actor,
    *,
    customer_id: UUID | None,
    states: tuple[ReservationState, ...] = (),
    before: UUID | None = None,
    limit: int,
) -> list[Reservation]:
    """Latest first. Riders see their own; staff those of their metros, of one customer or of all."""
    query = _select()
    if customer_id is not None:
        query = query.where(_RESERVATIONS.c.customer_id == customer_id)
    if who.metro_ids is not None:
        query = query.where(_RESERVATIONS.c.metro_id.in_(who.metro_ids))
    if states:
        query = query.where(_RESERVATIONS.c.state.in_(states))
    if before is not None:
        query = query.where(_RESERVATIONS.c.id < before)
    return [_of(row) for row in await session.execute(query.order_by(_RESERVATIONS.c.id.desc()).limit(limit))]


async def list_open_reservations(session: AsyncSession, who: Actor, *, limit: int = 20) -> list[Reservation]:
    open_states = (ReservationState.CONFIRMED, ReservationState.STARTED)
    return await list_reservations(session, who, customer_id=who.account_id, states=open_states, limit=limit)
