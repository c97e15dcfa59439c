"""Commutes: what riders save of ways that they go again and again, and the reminders to leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import departures, errors, estimates, ids, notifications, profiles, tables
from domain.actor import Actor
from domain.values import LatLng, LegMode, NotificationKind, VehicleType

MAX_COMMUTES = 20
#: reminders of one transaction
BATCH = 100
MIN_REMINDER_MINUTES, MAX_REMINDER_MINUTES = 5, 180


@dataclass(frozen=True, slots=True)
class End:
    """Where a commute begins or ends: a saved place of the rider, or a point with a label."""

    place_id: UUID | None
    label: str
    position: LatLng


@dataclass(frozen=True, slots=True)
class Draft:
    name: str
    metro_id: UUID
    origin: End | UUID
    destination: End | UUID
    #: of ISO 8601, Monday is 1
    days: Sequence[int]
    #: by the clock of the metro
    arrive_by: time
    modes: Sequence[VehicleType]
    #: before the departure; None: no reminder
    reminder_minutes: int | None
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Commute:
    id: UUID
    metro_id: UUID
    name: str
    origin: End
    destination: End
    days: list[int]
    arrive_by: time
    modes: list[VehicleType]
    travel_seconds: int
    reminder_minutes: int | None
    is_paused: bool
    timezone: str

    def next_departure(self, now: datetime) -> departures.Departure | None:
        """None while it is paused."""
        if self.is_paused:
            return None
        return departures.next_departure(
            after=now,
            days=self.days,
            arrive_by=self.arrive_by,
            zone=ZoneInfo(self.timezone),
            travel=timedelta(seconds=self.travel_seconds),
        )

    def next_reminder_at(self, now: datetime) -> datetime | None:
        """Of the next departure; it may be past already."""
        departure = self.next_departure(now)
        if departure is None or self.reminder_minutes is None:
            return None
        return departure.leave_at - timedelta(minutes=self.reminder_minutes)


def _select() -> Select[tables.Commute, str]:
    return select(tables.Commute, tables.Metro.timezone).join(tables.Metro, tables.Metro.id == tables.Commute.metro_id)


def _of(row: tables.Commute, timezone: str) -> Commute:
    return Commute(
        id=row.id,
        metro_id=row.metro_id,
        name=row.name,
        origin=End(row.origin_place_id, row.origin_label, LatLng(row.origin_lat, row.origin_lon)),
        destination=End(row.destination_place_id, row.destination_label, LatLng(row.destination_lat, row.destination_lon)),
        days=row.days,
        arrive_by=row.arrive_by,
        modes=[VehicleType(mode) for mode in row.modes],
        travel_seconds=row.travel_seconds,
        reminder_minutes=row.reminder_minutes,
        is_paused=row.is_paused,
        timezone=timezone,
    )


def travel_seconds(modes: Sequence[VehicleType], origin: LatLng, destination: LatLng) -> int:
    """By the slowest: whichever of them is there, the rider is in time."""
    return max(estimates.way(LegMode.of(mode), origin, destination).duration_seconds for mode in modes)


async def save_commute(session: AsyncSession, who: Actor, draft: Draft, *, commute_id: UUID | None, now: datetime) -> Commute:
    """Saves a new commute, or changes the one of `commute_id`. A rider has one of a name: saving another takes its place, so
    that a repeat changes nothing. Raises InvalidInput, NotFound."""
    _check(draft)
    await profiles.hold_rider(session, who)
    metro = (await session.execute(select(tables.Metro).where(tables.Metro.id == draft.metro_id))).scalar_one_or_none()
    if metro is None:
        raise errors.NotFound("There is no such metro.", path="metroId")
    origin = await _end_of(session, who, metro, draft.origin, "origin")
    destination = await _end_of(session, who, metro, draft.destination, "destination")
    row = await _row_to_write(session, who, commute_id, draft.name.strip())
    row.metro_id, row.name = metro.id, draft.name.strip()
    row.origin_place_id, row.destination_place_id = origin.place_id, destination.place_id
    row.days, row.arrive_by = sorted(set(draft.days)), draft.arrive_by
    row.modes = [mode.value for mode in VehicleType if mode in draft.modes]
    row.reminder_minutes, row.is_paused, row.updated_at = draft.reminder_minutes, draft.is_paused, now
    _place_ends(row, origin, destination)
    saved = _of(row, metro.timezone)
    row.next_reminder_at = saved.next_reminder_at(now)
    session.add(row)
    await session.flush()
    return saved


def _place_ends(row: tables.Commute, origin: End, destination: End) -> None:
    row.origin_label, row.origin_lat, row.origin_lon = origin.label, origin.position.lat, origin.position.lon
    row.destination_label = destination.label
    row.destination_lat, row.destination_lon = destination.position.lat, destination.position.lon
    row.travel_seconds = travel_seconds([VehicleType(mode) for mode in row.modes], origin.position, destination.position)


def _check(draft: Draft) -> None:
    issues = profiles.name_issues("name", draft.name)
    for path, end in (("origin", draft.origin), ("destination", draft.destination)):
        if isinstance(end, End):
            issues += profiles.name_issues(f"{path}.point.label", end.label)
    if not draft.days or not set(draft.days) <= set(range(1, 8)):
        issues.append(errors.Issue("days", "Choose one day of the week at least."))
    if not draft.modes:
        issues.append(errors.Issue("modes", "Choose one type of vehicle at least."))
    reminder = draft.reminder_minutes
    if reminder is not None and not MIN_REMINDER_MINUTES <= reminder <= MAX_REMINDER_MINUTES:
        limits = f"{MIN_REMINDER_MINUTES} to {MAX_REMINDER_MINUTES}"
        issues.append(errors.Issue("reminderMinutes", f"A reminder comes {limits} minutes before; null for none."))
    if issues:
        raise errors.InvalidInput(issues)


async def _end_of(session: AsyncSession, who: Actor, metro: tables.Metro, end: End | UUID, path: str) -> End:
    if not isinstance(end, End):
        places = tables.SavedPlace
        own = select(places).where(places.id == end, places.customer_id == who.account_id)
        place = (await session.execute(own)).scalar_one_or_none()
        if place is None:
            raise errors.NotFound("There is no such place.", path=f"{path}.savedPlaceId")
        end = End(place.id, place.name, LatLng(place.lat, place.lon))
    if not (metro.south <= end.position.lat <= metro.north and metro.west <= end.position.lon <= metro.east):
        raise errors.InvalidInput.of(path, f"The {path} does not lie in {metro.name}: choose a point there, or another metro.")
    return End(end.place_id, end.label.strip(), end.position)


async def _row_to_write(session: AsyncSession, who: Actor, commute_id: UUID | None, name: str) -> tables.Commute:
    """The row that is changed, or a new one when there is room for it."""
    commutes = tables.Commute
    rows = (await session.execute(select(commutes).where(commutes.customer_id == who.account_id))).scalars().all()
    taken = next((row for row in rows if row.name == name), None)
    if commute_id is None:
        if taken is None and len(rows) >= MAX_COMMUTES:
            raise errors.InvalidInput.of("name", f"You have {MAX_COMMUTES} commutes, as many as can be saved: forget one first.")
        return taken or commutes(id=ids.new(), customer_id=who.account_id)
    row = next((row for row in rows if row.id == commute_id), None)
    if row is None:
        raise errors.NotFound("There is no such commute.", path="id")
    if taken is not None and taken is not row:
        raise errors.InvalidInput.of("name", "You have a commute of that name: give this one another.")
    return row


async def follow_place(session: AsyncSession, place: tables.SavedPlace, *, now: datetime) -> None:
    """Moves the ends of commutes that are at a saved place, where their metro has it; elsewhere they stay where it was."""
    commutes = tables.Commute
    at_place = or_(commutes.origin_place_id == place.id, commutes.destination_place_id == place.id)
    for row, metro in await session.execute(
        select(commutes, tables.Metro).join(tables.Metro, tables.Metro.id == commutes.metro_id).where(at_place)
    ):
        if not (metro.south <= place.lat <= metro.north and metro.west <= place.lon <= metro.east):
            continue
        before, moved = _of(row, metro.timezone), End(place.id, place.name, LatLng(place.lat, place.lon))
        ends = [moved if end.place_id == place.id else end for end in (before.origin, before.destination)]
        _place_ends(row, *ends)
        row.next_reminder_at = _of(row, metro.timezone).next_reminder_at(now)
    await session.flush()


async def forget_commute(session: AsyncSession, who: Actor, *, commute_id: UUID) -> None:
    """Raises NotFound."""
    commutes = tables.Commute
    forgetting = delete(commutes).where(commutes.id == commute_id, commutes.customer_id == who.account_id)
    if (await session.execute(forgetting.returning(commutes.id))).one_or_none() is None:
        raise errors.NotFound("There is no such commute.", path="commuteId")


async def get_commute(session: AsyncSession, who: Actor, commute_id: UUID) -> Commute:
    commutes = tables.Commute
    own = _select().where(commutes.id == commute_id, commutes.customer_id == who.account_id)
    row = (await session.execute(own)).one_or_none()
    if row is None:
        raise errors.NotFound("There is no such commute.", path="commuteId")
    return _of(*row)


async def list_commutes(session: AsyncSession, who: Actor) -> list[Commute]:
    """By name."""
    own = _select().where(tables.Commute.customer_id == who.account_id).order_by(func.lower(tables.Commute.name))
    return [_of(*row) for row in await session.execute(own.limit(MAX_COMMUTES))]


async def remind_riders(session: AsyncSession, *, now: datetime, limit: int = BATCH) -> int:
    """Tells riders to leave, once a departure; one that is past, after an outage, is passed over. How many rows were due:
    several sweepers may run at once."""
    due = _select().where(tables.Commute.next_reminder_at <= now).order_by(tables.Commute.next_reminder_at)
    rows = (await session.execute(due.limit(limit).with_for_update(of=tables.Commute, skip_locked=True))).all()
    for row, timezone in rows:
        commute = _of(row, timezone)
        departure, remind_at = commute.next_departure(now), commute.next_reminder_at(now)
        if departure is not None and remind_at is not None and remind_at <= now:
            await _remind(session, row.customer_id, commute, departure, now)
            remind_at = commute.next_reminder_at(departure.leave_at + timedelta(seconds=1))
        row.next_reminder_at = remind_at
    await session.flush()
    return len(rows)


async def _remind(
    session: AsyncSession, customer_id: UUID, commute: Commute, departure: departures.Departure, now: datetime
) -> None:
    await notifications.notify(
        session,
        NotificationKind.COMMUTE_REMINDER,
        customer_id=customer_id,
        metro_id=commute.metro_id,
        facts={
            "commuteId": str(commute.id),
            "name": commute.name,
            "leaveAt": departure.leave_at.isoformat(),
            "arriveBy": departure.arrive_by.isoformat(),
        },
        key=f"commute:{commute.id}:{departure.day.isoformat()}",
        now=now,
    )
