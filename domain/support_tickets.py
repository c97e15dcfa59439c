"""Support tickets: faults as riders report them, what of that takes a vehicle out of service, and how staff close them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, eventlog, fleet, photos, profiles, tables, withdrawals
from domain.actor import Actor, Audience
from domain.tables import DamagedPart, PhotoPurpose, SupportPriority, SupportState, SupportType
from domain.tables.reservations import BLOCKING
from domain.values import LatLng, VehicleState, is_storable

MAX_COMMENT_LENGTH = 1000
#: of one rider, in a day
PER_DAY = 5
DAY = timedelta(hours=24)
#: how near to the vehicle somebody stands who has had nothing to do with it within a day
NEAR_METERS = 200
#: so many riders within a day say that it is broken though it goes
RIDERS_THAT_AGREE = 2

_ROWS = tables.SupportTicket
#: what a report takes out of service; the rest is somebody's ride, which ends first, or out of service already
_IN_SERVICE = (VehicleState.AVAILABLE, VehicleState.RESERVED, VehicleState.NON_CONTACTABLE)
_ERRORS = (SupportPriority.ERROR_CANNOT_CONTINUE, SupportPriority.ERROR_CAN_CONTINUE)


@dataclass(frozen=True, slots=True)
class Fault:
    """What a rider says."""

    support_type: SupportType
    priority: SupportPriority
    damaged_parts: Collection[DamagedPart] = ()
    comment: str | None = None
    photo_id: UUID | None = None
    #: where the rider stands
    position: LatLng | None = None

    @property
    def kept_comment(self) -> str | None:
        return (self.comment or "").strip() or None

    def check(self) -> None:
        """Raises InvalidInput."""
        issues = []
        if self.comment is not None and (len(self.comment) > MAX_COMMENT_LENGTH or not is_storable(self.comment)):
            issues.append(errors.Issue("comment", f"A comment has {MAX_COMMENT_LENGTH:,} characters at most."))
        elif self.support_type is SupportType.OTHER and self.kept_comment is None:
            issues.append(errors.Issue("comment", "Say in the comment what is wrong."))
        if len(set(self.damaged_parts)) != len(self.damaged_parts):
            issues.append(errors.Issue("damagedParts", "Name each part once."))
        if issues:
            raise errors.InvalidInput(issues)


@dataclass(frozen=True, slots=True)
class SupportTicket:
    id: UUID
    metro_id: UUID
    trip_id: UUID | None
    customer_id: UUID
    support_type: SupportType
    priority: SupportPriority
    damaged_parts: tuple[DamagedPart, ...]
    comment: str | None
    photo_id: UUID | None
    state: SupportState
    withdrew_vehicle: bool
    reported_at: datetime
    closed_at: datetime | None
    #: as it stands now
    vehicle: fleet.Vehicle


async def report_fault(
    session: AsyncSession,
    who: Actor,
    fault: Fault,
    *,
    trip_id: UUID | None = None,
    vehicle: fleet.VehicleRef | None = None,
    ticket_id: UUID,
    now: datetime,
) -> None:
    """On a trip of theirs or on a vehicle. What cannot be ridden goes out of service at once, with its reservations, or with
    the end of the trip that it is on.

    Raises InvalidInput, NotFound, TooManyTries.
    """
    fault.check()
    await profiles.hold_rider(session, who)
    await _must_not_be_too_many(session, who.account_id, now)
    ref = await _vehicle_of_trip(session, who, trip_id) if trip_id is not None else await _known(session, who, vehicle)
    if fault.photo_id is not None:
        await photos.use_photo(session, who, fault.photo_id, PhotoPurpose.FAULT, now)
    # As everybody does who wants both: reservations first, then their vehicle.
    reserved = await withdrawals.lock_reservations(session, ref) if fault.priority in _ERRORS else ()
    found = await fleet.get_vehicle(session, ref, lock=fault.priority in _ERRORS)
    if trip_id is None:
        await _must_know_it(session, who, found, fault.position, now)
    is_out = await _takes_out(session, who, fault, found.id, now)
    session.add(_row(who, fault, found, trip_id, ticket_id, is_out, now))
    await session.flush()
    if is_out and found.state in _IN_SERVICE:
        out = await fleet.set_state(session, found, VehicleState.NON_OPERATIONAL, now=now)
        await eventlog.append_all(session, [fleet.changed(out, found.state)])
        await withdrawals.withdraw_reservations(session, out, reserved, now=now)


def _row(
    who: Actor, fault: Fault, vehicle: fleet.Vehicle, trip_id: UUID | None, ticket_id: UUID, is_out: bool, now: datetime
) -> tables.SupportTicket:
    return _ROWS(
        id=ticket_id,
        metro_id=vehicle.metro_id,
        vehicle_id=vehicle.id,
        trip_id=trip_id,
        customer_id=who.account_id,
        support_type=fault.support_type,
        priority=fault.priority,
        damaged_parts=[part.value for part in fault.damaged_parts],
        comment=fault.kept_comment,
        photo_id=fault.photo_id,
        state=SupportState.ISSUE_OPEN,
        withdrew_vehicle=is_out,
        reported_at=now,
    )


async def _must_not_be_too_many(session: AsyncSession, customer_id: UUID, now: datetime) -> None:
    lately = select(_ROWS.reported_at).where(_ROWS.customer_id == customer_id, _ROWS.reported_at > now - DAY)
    found = (await session.execute(lately.order_by(_ROWS.reported_at.desc()).limit(PER_DAY))).scalars().all()
    if len(found) >= PER_DAY:
        raise errors.TooManyTries(max(1, int((found[-1] + DAY - now).total_seconds())))


async def _vehicle_of_trip(session: AsyncSession, who: Actor, trip_id: UUID) -> fleet.VehicleRef:
    trips = tables.Trip
    own = select(trips.vehicle_id).where(trips.id == trip_id, trips.customer_id == who.account_id)
    vehicle_id = (await session.execute(own)).scalar_one_or_none()
    if vehicle_id is None:
        raise errors.NotFound("There is no such trip.", path="tripId")
    return fleet.VehicleRef(vehicle_id, published=False)


async def _known(session: AsyncSession, who: Actor, ref: fleet.VehicleRef | None) -> fleet.VehicleRef:
    """By the id that the rider was shown, also when another has been published since."""
    if ref is None:
        raise errors.InvalidInput.of("vehicleId", "Name the vehicle or a trip.")
    if not ref.published:
        return ref
    rows = tables.Reservation
    own = select(rows.vehicle_id).where(rows.published_vehicle_id == ref.id, rows.customer_id == who.account_id).limit(1)
    vehicle_id = (await session.execute(own)).scalar_one_or_none()
    return ref if vehicle_id is None else fleet.VehicleRef(vehicle_id, published=False)


async def _must_know_it(
    session: AsyncSession, who: Actor, vehicle: fleet.Vehicle, position: LatLng | None, now: datetime
) -> None:
    """Whoever rides, has reserved, or has lately ridden it; else whoever stands beside it. Nobody finds out by reporting where
    somebody else rides."""
    rows = tables.Reservation
    lately = or_(rows.state.in_(BLOCKING), func.upper(rows.blocked) > now - DAY)
    had = select(exists().where(rows.customer_id == who.account_id, rows.vehicle_id == vehicle.id, lately))
    if (await session.execute(had)).scalar_one():
        return
    if position is None or vehicle.is_ridden or position.meters_to(vehicle.position) > NEAR_METERS:
        message = f"Report it from beside it: say where you are, within {NEAR_METERS} m of the vehicle."
        raise errors.InvalidInput.of("position", message)


async def _takes_out(session: AsyncSession, who: Actor, fault: Fault, vehicle_id: UUID, now: datetime) -> bool:
    """The vehicle is locked: two who agree at once are counted one after the other."""
    if fault.priority is not SupportPriority.ERROR_CAN_CONTINUE:
        return fault.priority is SupportPriority.ERROR_CANNOT_CONTINUE
    others = select(func.count(_ROWS.customer_id.distinct())).where(
        _ROWS.vehicle_id == vehicle_id,
        _ROWS.priority == SupportPriority.ERROR_CAN_CONTINUE,
        _ROWS.state == SupportState.ISSUE_OPEN,
        _ROWS.reported_at > now - DAY,
        _ROWS.customer_id != who.account_id,
    )
    count: int = (await session.execute(others)).scalar_one()
    return count + 1 >= RIDERS_THAT_AGREE


def has_withdrawn(vehicle_id: UUID) -> ColumnElement[bool]:
    """Whether a report that is open says that nobody may ride the vehicle next."""
    return exists().where(_ROWS.vehicle_id == vehicle_id, _ROWS.state == SupportState.ISSUE_OPEN, _ROWS.withdrew_vehicle)


async def resolve_support_ticket(
    session: AsyncSession, who: Actor, *, ticket_id: UUID, state: SupportState, now: datetime
) -> None:
    """Closes it; of one that is closed the other word takes the place of the first. The vehicle stays as it is.
    Raises InvalidInput, NotFound."""
    if state is SupportState.ISSUE_OPEN:
        raise errors.InvalidInput.of("state", "A ticket is closed as ISSUE_RESOLVED or ISSUE_REVOKED.")
    row = await session.get(_ROWS, ticket_id, with_for_update=True)
    if row is None:
        raise errors.NotFound("There is no such ticket.", path="ticketId")
    who.require_metro(row.metro_id)
    if row.state is not state:
        row.state, row.closed_at = state, now
        await session.flush()


_OWN = (
    "id", "metro_id", "trip_id", "customer_id", "support_type", "priority", "damaged_parts", "comment", "photo_id", "state",
    "withdrew_vehicle", "reported_at", "closed_at",
)  # fmt: skip


def _select(who: Actor) -> Select[Any]:
    """What somebody may see: riders their own, staff those of their metros."""
    rows = _ROWS.__table__
    own = [rows.c[name] for name in _OWN]
    joined = fleet.WITH_STATION.join(rows, rows.c.vehicle_id == tables.Vehicle.id)
    query = select(*own, *fleet.COLUMNS).select_from(joined)
    if who.audience is Audience.CUSTOMER:
        query = query.where(_ROWS.customer_id == who.account_id)
    return query if who.metro_ids is None else query.where(_ROWS.metro_id.in_(who.metro_ids))


def _of(row: Row[Any]) -> SupportTicket:
    values = tuple(row)
    own = dict(zip(_OWN, values, strict=False))
    parts = tuple(DamagedPart(part) for part in own.pop("damaged_parts"))
    return SupportTicket(**own, damaged_parts=parts, vehicle=fleet.of_columns(values[len(_OWN) :]))


async def list_support_tickets(
    session: AsyncSession,
    who: Actor,
    *,
    metro_id: UUID | None = None,
    vehicle_id: UUID | None = None,
    state: SupportState | None = None,
    before: UUID | None,
    limit: int,
) -> list[SupportTicket]:
    """The latest first."""
    query = _select(who)
    for column, wanted in ((_ROWS.metro_id, metro_id), (_ROWS.vehicle_id, vehicle_id), (_ROWS.state, state)):
        if wanted is not None:
            query = query.where(column == wanted)
    if before is not None:
        query = query.where(_ROWS.id < before)
    return [_of(row) for row in await session.execute(query.order_by(_ROWS.id.desc()).limit(limit))]


async def find_support_ticket(session: AsyncSession, who: Actor, ticket_id: UUID) -> SupportTicket | None:
    row = (await session.execute(_select(who).where(_ROWS.id == ticket_id))).one_or_none()
    return None if row is None else _of(row)


async def get_support_ticket(session: AsyncSession, who: Actor, ticket_id: UUID) -> SupportTicket:
    found = await find_support_ticket(session, who, ticket_id)
    if found is None:
        raise errors.NotFound("There is no such ticket.", path="ticketId")
    return found
