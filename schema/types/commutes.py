"""Commutes: ways that a rider goes again and again, and when to leave."""

from __future__ import annotations

from datetime import datetime, time
from uuid import UUID

import strawberry
from strawberry import field

from domain import commutes, departures, ids
from domain.values import Weekday
from resolvers import commutes as commute_resolvers
from schema import enums, fields
from schema.nodes import Node
from schema.types.geo import LatLng
from schema.types.metros import Metro


@strawberry.type(description="Where a commute begins or ends.")
class CommuteEnd:
    label: str = field(description="What the rider calls it.")
    position: LatLng = field(description="Where it is.")
    saved_place_id: strawberry.ID | None = field(description="The saved place that it follows; null for a mere point.")

    @classmethod
    def of(cls, row: commutes.End) -> CommuteEnd:
        return cls(
            label=row.label,
            position=LatLng(lat=row.position.lat, lon=row.position.lon),
            saved_place_id=None if row.place_id is None else strawberry.ID(ids.encode(ids.SAVED_PLACE, row.place_id)),
        )


@strawberry.type(description="When to leave, so as to arrive in time.")
class Departure:
    leave_at: datetime = field(description="When to leave the origin.")
    arrive_by: datetime = field(description="When to be at the destination.")

    @classmethod
    def of(cls, row: departures.Departure) -> Departure:
        return cls(leave_at=row.leave_at, arrive_by=row.arrive_by)


@strawberry.type(description="A way that a rider goes again and again.")
class Commute(Node):
    name: str = field(description="What the rider calls it.")
    origin: CommuteEnd = field(description="Where it begins.")
    destination: CommuteEnd = field(description="Where it ends.")
    days: list[enums.Weekday] = field(description="On which days, from Monday on; 7 at most.")
    arrive_by: time = field(
        description="When to be there, by the clock of the metro. Where that is put forward over it, the first minute after;"
        " where it shows it twice, the first time."
    )
    modes: list[enums.VehicleType] = field(description="Which vehicles will do; 4 at most.")
    travel_seconds: int = field(description="How long the slowest of them takes, estimated from the distance.")
    reminder_minutes: int | None = field(description="How long before the departure the rider is reminded; null for never.")
    is_paused: bool = field(description="Without departures and reminders until it is saved otherwise.")
    next_departure: Departure | None = field(description="The next one; null while it is paused.")
    row: strawberry.Private[commutes.Commute]

    @fields.resolved("The metro whose clock and vehicles it goes by.")
    async def metro(self, info: strawberry.Info) -> Metro:
        return Metro.of(await info.context.metros.load(self.row.metro_id))

    @classmethod
    def of(cls, row: commutes.Commute, now: datetime) -> Commute:
        departure = row.next_departure(now)
        return cls(
            id=strawberry.ID(ids.encode(ids.COMMUTE, row.id)),
            name=row.name,
            origin=CommuteEnd.of(row.origin),
            destination=CommuteEnd.of(row.destination),
            days=[Weekday.of_iso(day) for day in row.days],
            arrive_by=row.arrive_by,
            modes=row.modes,
            travel_seconds=row.travel_seconds,
            reminder_minutes=row.reminder_minutes,
            is_paused=row.is_paused,
            next_departure=None if departure is None else Departure.of(departure),
            row=row,
        )


async def find_commute(info: strawberry.Info, id: UUID) -> Node | None:
    return Commute.of(await commute_resolvers.get_commute(info.context, id), info.context.runtime.clock.now())


@strawberry.type
class CommuteFields:
    """What a rider's account shows of commutes."""

    @fields.resolved("Ways that the rider goes again and again, by name; 20 at most.")
    async def commutes(self, info: strawberry.Info) -> list[Commute]:
        now = info.context.runtime.clock.now()
        return [Commute.of(row, now) for row in await commute_resolvers.list_commutes(info.context)]
