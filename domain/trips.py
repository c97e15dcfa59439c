"""Trips: rides from the unlocking to the return, as riders and staff see, give up and end them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Select, and_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, fleet, lock_commands, meters, pricing, tables, trip_announcements, trip_ends
from domain.actor import Actor, Audience
from domain.tables import TripEnd, TripState, TripStep
from domain.values import Money, VehicleState, VehicleType, is_storable

_TRIPS = tables.Trip.__table__
_VEHICLES = tables.Vehicle.__table__
_TARIFFS = tables.Tariff.__table__
_RESERVATIONS = tables.Reservation.__table__
_METROS = tables.Metro.__table__
_RECEIPTS = tables.Receipt.__table__

MAX_REASON_LENGTH = 500

_TURN = text("select pg_advisory_xact_lock(hashtextextended(:turn, 0))")
_POSITION = eventlog.position_statement("(select 'rider:' || customer_id from trips where id = :trip_id)")


@dataclass(frozen=True, slots=True)
class Trip:
    id: UUID
    metro_id: UUID
    customer_id: UUID
    published_vehicle_id: UUID
    vehicle_type: VehicleType
    reservation_id: UUID
    is_walk_up: bool
    state: TripState
    awaits: TripStep | None
    awaits_until: datetime | None
    requested_at: datetime
    started_at: datetime | None
    paused_at: datetime | None
    ended_at: datetime | None
    end_cause: TripEnd | None
    #: why staff ended it
    end_reason: str | None
    end_station_id: UUID | None
    distance_meters: int
    start_battery_percent: int
    end_battery_percent: int | None
    accepted_fine_minor: int | None
    #: when the vehicle has to be back; None: nobody rides it yet, and no booking says so
    due_at: datetime | None
    receipt_id: UUID | None
    #: of its receipt
    total_minor: int | None
    vehicle: fleet.Vehicle
    #: the version that it is charged by
    tariff: pricing.Tariff
    #: first to last
    pauses: tuple[meters.Pause, ...]

    @property
    def is_open(self) -> bool:
        return self.state in tables.OPEN_TRIP

    @property
    def total(self) -> Money | None:
        return None if self.total_minor is None else Money(self.total_minor, self.tariff.currency)

    @property
    def accepted_fine(self) -> Money | None:
        return None if self.accepted_fine_minor is None else Money(self.accepted_fine_minor, self.tariff.currency)


_OWN = (
    "id", "metro_id", "customer_id", "published_vehicle_id", "vehicle_type", "reservation_id", "is_walk_up", "state", "awaits",
    "awaits_until", "requested_at", "started_at", "paused_at", "ended_at", "end_cause", "end_reason", "end_station_id",
    "distance_meters", "start_battery_percent", "end_battery_percent", "accepted_fine_minor",
)  # fmt: skip
_OF_TRIP = and_(_RECEIPTS.c.trip_id == _TRIPS.c.id, _RECEIPTS.c.source == tables.ReceiptSource.TRIP)


def select_rows() -> Select[Any]:
    beside = (
        _RESERVATIONS.c.ends_at.label("booked_until"),
        _METROS.c.ride_max_hours,
        _RECEIPTS.c.id.label("receipt_id"),
        _RECEIPTS.c.total_minor,
    )
    rows = (
        fleet.WITH_STATION.join(_TRIPS, _TRIPS.c.vehicle_id == _VEHICLES.c.id)
        .join(_RESERVATIONS, _RESERVATIONS.c.id == _TRIPS.c.reservation_id)
        .join(_METROS, _METROS.c.id == _TRIPS.c.metro_id)
        .join(_TARIFFS, _TARIFFS.c.id == _TRIPS.c.tariff_id)
        .outerjoin(_RECEIPTS, _OF_TRIP)
    )
    own = [_TRIPS.c[name] for name in _OWN]
    tariff = [column.label(f"tariff_{column.name}") for column in pricing.COLUMNS]
    return select(*own, *beside, *fleet.COLUMNS, *tariff).select_from(rows)


async def of_rows(session: AsyncSession, rows: Sequence[Row[Any]]) -> list[Trip]:
    """Of rows of `select_rows`, with their pauses, which take one more statement."""
    pauses = await list_pauses(session, [row.id for row in rows])
    return [_of(tuple(row), pauses.get(row.id, ())) for row in rows]


def _of(values: tuple[Any, ...], pauses: tuple[meters.Pause, ...]) -> Trip:
    own, rest = values[: len(_OWN)], values[len(_OWN) :]
    booked_until, ride_max_hours, receipt_id, total_minor, *joined = rest
    due = trip_announcements.due_at(own[_OWN.index("started_at")], booked_until, ride_max_hours)
    vehicle, tariff = joined[: len(fleet.COLUMNS)], joined[len(fleet.COLUMNS) :]
    return Trip(*(*own, due, receipt_id, total_minor, fleet.of_columns(tuple(vehicle)), pricing.Tariff(*tariff), pauses))


async def list_pauses(session: AsyncSession, trip_ids: Collection[UUID]) -> dict[UUID, tuple[meters.Pause, ...]]:
    rows = tables.TripPause
    found: dict[UUID, tuple[meters.Pause, ...]] = {}
    query = select(rows.trip_id, rows.started_at, rows.ended_at).where(rows.trip_id.in_(trip_ids))
    for row in await session.execute(query.order_by(rows.started_at, rows.id)):
        found[row.trip_id] = (*found.get(row.trip_id, ()), meters.Pause(row.started_at, row.ended_at))
    return found


async def get_trip(session: AsyncSession, who: Actor, trip_id: UUID) -> Trip:
    rows = (await session.execute(select_rows().where(_TRIPS.c.id == trip_id))).all()
    found = next(iter(await of_rows(session, rows)), None)
    if found is None or (who.audience is Audience.CUSTOMER and found.customer_id != who.account_id):
        raise errors.NotFound("There is no such trip.", path="tripId")
    who.require_metro(found.metro_id)
    return found


async def list_trips(
    session: AsyncSession,
    who: Actor,
    *,
    customer_id: UUID | None = None,
    metro_id: UUID | None = None,
    vehicle_id: UUID | None = None,
    states: Collection[TripState] = (),
    before: UUID | None = None,
    limit: int,
) -> list[Trip]:
    """The latest first. Riders see their own, staff those of their metros. `before`: the last one of the page before."""
    own = who.account_id if who.audience is Audience.CUSTOMER else customer_id
    query = select_rows()
    for column, wanted in ((_TRIPS.c.customer_id, own), (_TRIPS.c.metro_id, metro_id), (_TRIPS.c.vehicle_id, vehicle_id)):
        if wanted is not None:
            query = query.where(column == wanted)
    if who.metro_ids is not None:
        query = query.where(_TRIPS.c.metro_id.in_(who.metro_ids))
    if states:
        query = query.where(_TRIPS.c.state.in_(states))
    if before is not None:
        query = query.where(_TRIPS.c.id < before)
    return await of_rows(session, (await session.execute(query.order_by(_TRIPS.c.id.desc()).limit(limit))).all())


async def find_open_trip(session: AsyncSession, customer_id: UUID) -> Trip | None:
    """A rider has one at most."""
    open_one = select_rows().where(_TRIPS.c.customer_id == customer_id, _TRIPS.c.state.in_(tables.OPEN_TRIP))
    found = await of_rows(session, (await session.execute(open_one)).all())
    return found[0] if found else None


async def current_position(session: AsyncSession, trip_id: UUID) -> eventlog.Position:
    """Where the stream of its rider continues from what is read after this. The trip need not exist."""
    return eventlog.Position(*(await session.execute(_POSITION, {"trip_id": trip_id})).scalar_one())


async def take_turn(session: AsyncSession, trip_id: UUID) -> eventlog.Position:
    """The same, once nobody else is acting on the trip. It comes before all that gives the transaction its number, by which the
    log is ordered: so acts that wait for each other are told in the order in which they happened."""
    await session.execute(_TURN, {"turn": str(trip_id)})
    return await current_position(session, trip_id)


async def lock_row(session: AsyncSession, trip_id: UUID) -> tables.Trip | None:
    """Before its reservation and its vehicle, always."""
    await session.execute(_TURN, {"turn": str(trip_id)})
    return await _lock_row(session, trip_id)


async def _lock_row(session: AsyncSession, trip_id: UUID) -> tables.Trip | None:
    found = select(tables.Trip).where(tables.Trip.id == trip_id)
    locked = found.with_for_update().execution_options(populate_existing=True)
    return (await session.execute(locked)).scalar_one_or_none()


async def lock_trip(session: AsyncSession, who: Actor, trip_id: UUID) -> tables.Trip:
    row = await lock_row(session, trip_id)
    if row is None or (who.audience is Audience.CUSTOMER and row.customer_id != who.account_id):
        raise errors.NotFound("There is no such trip.", path="tripId")
    who.require_metro(row.metro_id)
    return row


async def lock_trip_of(session: AsyncSession, reservation_id: UUID) -> tables.Trip | None:
    """The open one of a reservation, before the reservation itself is locked."""
    rows = tables.Trip
    open_one = select(rows.id).where(rows.reservation_id == reservation_id, rows.state.in_(tables.OPEN_TRIP))
    trip_id = (await session.execute(open_one)).scalar_one_or_none()
    row = None if trip_id is None else await lock_row(session, trip_id)
    return row if row is not None and row.state in tables.OPEN_TRIP else None


def must_be_idle(row: tables.Trip) -> None:
    """Raises TripClosed, VehicleBusy."""
    if row.state not in tables.OPEN_TRIP:
        raise errors.TripClosed(f"The trip is {row.state}.", path="tripId")
    if row.awaits is not None:
        raise errors.VehicleBusy(path="tripId")


async def deposit_decided(session: AsyncSession, trip_id: UUID, is_authorized: bool, now: datetime) -> None:
    """What the bank says of the deposit. A trip that has not waited for it so long is not begun by it."""
    # Who records what the bank says has locked the row already: to wait for a turn now would be to wait in a ring.
    row = await _lock_row(session, trip_id)
    if row is None or row.awaits is not TripStep.AUTHORIZATION:
        return
    if not is_authorized:
        await trip_ends.give_up(session, row, TripEnd.AUTHORIZATION_DECLINED, now=now)
        return
    await trip_ends.lock_reservation(session, row)
    if (await trip_ends.lock_vehicle(session, row.vehicle_id)).state is not VehicleState.RESERVED:
        # It went out of service while the bank was asked: nobody is to ride off on what was reported.
        await trip_ends.give_up(session, row, TripEnd.UNLOCK_FAILED, now=now)
        return
    await lock_commands.ask(session, row, TripStep.UNLOCK, now=now)
    await trip_announcements.announce(session, row)


async def cancel_trip(session: AsyncSession, who: Actor, *, trip_id: UUID, now: datetime) -> None:
    """The rider gives up before the lock has opened, for nothing. Raises NotFound, TripClosed."""
    row = await lock_trip(session, who, trip_id)
    if row.state is not TripState.PREPARING:
        way_out = " Return the vehicle." if row.state in tables.OPEN_TRIP else ""
        raise errors.TripClosed(f"The trip is {row.state} and cannot be given up.{way_out}", path="tripId")
    was_asked = row.awaits is TripStep.UNLOCK
    await trip_ends.give_up(session, row, TripEnd.RIDER, now=now)
    if was_asked:
        await lock_commands.relock(session, vehicle_id=row.vehicle_id, trip_id=row.id, now=now)


async def end_trip(session: AsyncSession, who: Actor, *, trip_id: UUID, reason: str, now: datetime) -> None:
    """Staff end what its rider cannot. What was being prepared costs nothing; what was ridden costs what it did until now. The
    vehicle goes out of service until somebody has looked at it. Raises NotFound, TripClosed, InvalidInput."""
    if not (1 <= len(reason.strip()) <= MAX_REASON_LENGTH and is_storable(reason)):
        raise errors.InvalidInput.of("reason", f"A reason has 1 to {MAX_REASON_LENGTH} characters.")
    row = await lock_trip(session, who, trip_id)
    if row.state not in tables.OPEN_TRIP:
        raise errors.TripClosed(f"The trip is {row.state}.", path="tripId")
    row.end_reason = reason
    if row.state is TripState.PREPARING:
        await trip_ends.give_up(session, row, TripEnd.OPERATOR, now=now)
    else:
        state = VehicleState.NON_OPERATIONAL
        ended_at = await trip_ends.meter_stopped_at(session, row, now)
        await trip_ends.finish(session, row, TripEnd.OPERATOR, ended_at=ended_at, vehicle_state=state, now=now)
    await lock_commands.relock(session, vehicle_id=row.vehicle_id, trip_id=row.id, now=now)
