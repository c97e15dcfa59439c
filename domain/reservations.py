"""Reservations: who may hold which vehicle when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Row, Select, Table, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    accounts,
    announcements,
    booking_windows,
    errors,
    eventlog,
    fleet,
    ids,
    licences,
    metros,
    quotes,
    tables,
)
from domain.actor import Actor, Audience
from domain.values import CancelCause, FeeSettlement, Money, ReservationState, VehicleState

_RESERVATIONS = cast(Table, tables.Reservation.__table__)
_INSERT = insert(_RESERVATIONS)
_VEHICLES = tables.Vehicle.__table__
_EXCLUSION = "ex_reservations_vehicle_blocked"
_POSITION = eventlog.position_statement("(select 'dispatch:' || metro_id from reservations where id = :reservation_id)")

_TURN = text(f"select pg_advisory_xact_lock(hashtextextended(:turn, 0)), ({_POSITION.text}) as position")


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
    cancel_free_until: datetime | None
    late_cancel_minor: int
    cancel_cause: CancelCause | None
    cancel_reason: str | None
    cancel_fee_minor: int | None
    fee_settled_at: datetime | None
    fee_settlement: FeeSettlement | None
    created_at: datetime
    vehicle: fleet.Vehicle

    @property
    def quoted(self) -> Money | None:
        return None if self.quoted_minor is None else Money(self.quoted_minor, self.currency)

    @property
    def cancel_fee(self) -> Money | None:
        return None if self.cancel_fee_minor is None else Money(self.cancel_fee_minor, self.currency)


_OWN = (
    "id", "metro_id", "customer_id", "published_vehicle_id", "state", "starts_at", "ends_at", "lapses_at",
    "quoted_minor", "currency", "cancel_free_until", "late_cancel_minor", "cancel_cause", "cancel_reason",
    "cancel_fee_minor", "fee_settled_at", "fee_settlement", "created_at",
)  # fmt: skip
_CLOSING = {"cancel_cause", "cancel_reason", "cancel_fee_minor", "fee_settled_at", "fee_settlement"}
_WRITTEN = (*(name for name in _OWN if name not in _CLOSING), "vehicle_id", "vehicle_type", "tariff_id", "blocked")


def select_rows() -> Select[Any]:
    return select(*(_RESERVATIONS.c[name] for name in _OWN), *fleet.COLUMNS).select_from(
        _RESERVATIONS.join(fleet.WITH_STATION, _VEHICLES.c.id == _RESERVATIONS.c.vehicle_id)
    )


def of_row(row: Row[Any]) -> Reservation:
    values = tuple(row)
    return Reservation(*(*values[: len(_OWN)], fleet.of_columns(values[len(_OWN) :])))


def must_be_in_service(quote: quotes.Quote) -> None:
    usable: tuple[VehicleState, ...] = (VehicleState.AVAILABLE,)
    if not quote.vehicle.vehicle_type.is_micromobility:
        # Somebody may be driving it now: what counts for a car is its calendar.
        usable = (VehicleState.AVAILABLE, VehicleState.RESERVED, VehicleState.ON_TRIP, VehicleState.STOPPED)
    if quote.vehicle.state not in usable:
        raise unavailable(f"The vehicle is {quote.vehicle.state} now.", quote)


def unavailable(message: str, quote: quotes.Quote) -> errors.VehicleUnavailable:
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

    Raises InvalidInput, NotFound, CoolDown, VehicleUnavailable, and of cars and vans DrivingLicenceRequired. A caller that
    catches these must roll back.
    """
    quote = await quotes.quote_reservation(
        session,
        vehicle=vehicle,
        starts_at=starts_at,
        ends_at=ends_at,
        expected_minutes=expected_minutes,
        now=now,
        tariff_id=tariff_id,
        customer_id=customer_id,
        lock=True,
    )
    _may_reserve_for(who, customer_id, quote.metro)
    must_be_in_service(quote)
    if not quote.vehicle.vehicle_type.is_micromobility:
        await licences.require_licence(session, customer_id, quote.window)
    elif who.audience is Audience.OPS:
        await accounts.require_customer(session, customer_id)
    row = await write_reservation(session, quote, customer_id, reservation_id or ids.new(), now=now)
    held, events = quote.vehicle, announcements.drafts(row, quote.vehicle.plate)
    begins = held.vehicle_type.is_micromobility or quote.window.starts_at <= now
    if begins and held.state is VehicleState.AVAILABLE:
        held = replace(held, state=VehicleState.RESERVED, updated_at=now)
        taken = update(tables.Vehicle).where(tables.Vehicle.id == held.id).values(state=held.state, updated_at=now)
        await session.execute(taken)
        events.append(fleet.changed(held, quote.vehicle.state))
    await eventlog.append_all(session, events)
    shown = Reservation(*(*(getattr(row, name) for name in _OWN), held))
    return Reserved(shown, quote.metro.position)


def _may_reserve_for(who: Actor, customer_id: UUID, metro: metros.Metro) -> None:
    if who.audience is Audience.CUSTOMER and who.account_id != customer_id:
        raise errors.NotFound("There is no such customer.", path="customerId")
    who.require_metro(metro.id)


async def write_reservation(
    session: AsyncSession,
    quote: quotes.Quote,
    customer_id: UUID,
    reservation_id: UUID,
    *,
    state: ReservationState = ReservationState.CONFIRMED,
    now: datetime,
) -> tables.Reservation:
    """As quoted, for what the caller has checked, and told to nobody. Raises VehicleUnavailable, NotFound."""
    row = _new_row(quote, customer_id, reservation_id, state, now)
    try:
        await session.execute(_INSERT, {name: getattr(row, name) for name in _WRITTEN})
    except IntegrityError as error:
        raise refusal_of(error, quote) from error
    return row


def _new_row(
    quote: quotes.Quote, customer_id: UUID, reservation_id: UUID, state: ReservationState, now: datetime
) -> tables.Reservation:
    return tables.Reservation(
        id=reservation_id,
        metro_id=quote.metro.id,
        customer_id=customer_id,
        vehicle_id=quote.vehicle.id,
        published_vehicle_id=quote.vehicle.published_id,
        vehicle_type=quote.vehicle.vehicle_type,
        tariff_id=quote.tariff.id,
        state=state,
        starts_at=quote.window.starts_at,
        ends_at=quote.window.ends_at,
        lapses_at=quote.window.lapses_at,
        blocked=Range(quote.window.blocked.starts_at, quote.window.blocked.ends_at),
        quoted_minor=quote.price.minor_units if quote.price else None,
        currency=quote.tariff.currency,
        cancel_free_until=booking_windows.free_cancellation(
            quote.vehicle.vehicle_type, quote.metro, starts_at=quote.window.starts_at, made_at=now
        ),
        late_cancel_minor=quote.tariff.cancel_fee_minor,
        created_at=now,
    )


def refusal_of(error: IntegrityError, quote: quotes.Quote) -> Exception:
    cause = getattr(error.orig, "__cause__", None)
    constraint = getattr(cause, "constraint_name", None)
    if constraint == _EXCLUSION:
        return unavailable("Somebody has reserved this vehicle for that time.", quote)
    if constraint == "fk_reservations_customer_id":
        return errors.NotFound("There is no such customer.", path="customerId")
    return error


async def lock_reservation(session: AsyncSession, who: Actor, reservation_id: UUID) -> tables.Reservation:
    """Before the locks of vehicles, always."""
    statement = select(tables.Reservation).where(tables.Reservation.id == reservation_id).with_for_update()
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None or (who.audience is Audience.CUSTOMER and row.customer_id != who.account_id):
        raise errors.NotFound("There is no such reservation.", path="reservationId")
    who.require_metro(row.metro_id)
    return row


async def close_reservation(
    session: AsyncSession, row: tables.Reservation, state: ReservationState, now: datetime, **ending: Any
) -> tables.Vehicle:
    """Frees the vehicle of a reservation that the transaction has locked. `ending`: columns that say more of its end."""
    # The vehicle before the row is written, as in `reserve_vehicle`: the exclusion constraint waits for whoever writes it.
    vehicle = (
        await session.execute(select(tables.Vehicle).where(tables.Vehicle.id == row.vehicle_id).with_for_update())
    ).scalar_one()
    blocked_from = row.blocked.lower or row.starts_at
    for name, value in ending.items():
        setattr(row, name, value)
    row.state = state
    row.closed_at = now
    row.blocked = Range(blocked_from, now) if blocked_from < now else Range(empty=True)
    await session.flush()
    events = announcements.drafts(row, vehicle.plate)
    if vehicle.state is VehicleState.RESERVED and not await holds_now(session, vehicle.id, now):
        vehicle.state, vehicle.updated_at = VehicleState.AVAILABLE, now
        await session.flush()
        events.append(fleet.changed(vehicle, VehicleState.RESERVED))
    await eventlog.append_all(session, events)
    return vehicle


async def holds_now(session: AsyncSession, vehicle_id: UUID, now: datetime) -> bool:
    statement = select(tables.Reservation.id).where(
        tables.Reservation.vehicle_id == vehicle_id,
        tables.Reservation.state == ReservationState.CONFIRMED,
        (tables.Reservation.starts_at <= now) | tables.Reservation.lapses_at.is_not(None),
    )
    return (await session.execute(statement.limit(1))).scalar_one_or_none() is not None


async def current_position(session: AsyncSession, reservation_id: UUID) -> eventlog.Position:
    """Where the stream that shows a reservation continues from what is read after this. It need not exist."""
    return eventlog.Position(*(await session.execute(_POSITION, {"reservation_id": reservation_id})).scalar_one())


async def take_turn(session: AsyncSession, reservation_id: UUID) -> eventlog.Position:
    """The same, once nobody else is acting on the reservation. It comes before all that gives the transaction its number, by
    which the log is ordered: so acts that wait for each other are told in the order in which they happened."""
    row = (await session.execute(_TURN, {"reservation_id": reservation_id, "turn": str(reservation_id)})).one()
    return eventlog.Position(*row.position)


async def get_reservation(session: AsyncSession, who: Actor, reservation_id: UUID) -> Reservation:
    row = (await session.execute(select_rows().where(_RESERVATIONS.c.id == reservation_id))).one_or_none()
    if row is None or (who.audience is Audience.CUSTOMER and row.customer_id != who.account_id):
        raise errors.NotFound("There is no such reservation.", path="reservationId")
    who.require_metro(row.metro_id)
    return of_row(row)


async def find_reservations(session: AsyncSession, who: Actor, reservation_ids: Collection[UUID]) -> dict[UUID, Reservation]:
    """What the actor may see of these."""
    query = select_rows().where(_RESERVATIONS.c.id.in_(reservation_ids))
    if who.audience is Audience.CUSTOMER:
        query = query.where(_RESERVATIONS.c.customer_id == who.account_id)
    if who.metro_ids is not None:
        query = query.where(_RESERVATIONS.c.metro_id.in_(who.metro_ids))
    return {row.id: row for row in map(of_row, await session.execute(query))}
