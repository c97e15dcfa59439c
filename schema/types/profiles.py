"""Profiles: saved places and the driving licence of a rider."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import strawberry
from strawberry import field

from domain import ids, licences, saved_places
from resolvers import licences as licence_resolvers
from resolvers import saved_places as place_resolvers
from schema import enums, fields
from schema.nodes import Node
from schema.types.geo import LatLng


@strawberry.type(description="A point that a rider goes to again and again.")
class SavedPlace(Node):
    kind: enums.SavedPlaceKind = field(description="What it is to the rider.")
    name: str = field(description="What the rider calls it.")
    position: LatLng = field(description="Where it is.")
    updated_at: datetime = field(description="When it was last saved.")

    @classmethod
    def of(cls, row: saved_places.SavedPlace) -> SavedPlace:
        return cls(
            id=strawberry.ID(ids.encode(ids.SAVED_PLACE, row.id)),
            kind=row.kind,
            name=row.name,
            position=LatLng(lat=row.lat, lon=row.lon),
            updated_at=row.updated_at,
        )


async def find_saved_place(info: strawberry.Info, id: UUID) -> Node | None:
    row = await place_resolvers.find_saved_place(info.context, id)
    return None if row is None else SavedPlace.of(row)


@strawberry.type(
    description="A rider's driving licence, which cars and vans need. All but the state is null until one is submitted."
)
class DrivingLicence:
    state: enums.LicenceState = field(description="Whether cars and vans may be booked with it now.")
    country_code: str | None = field(description="Where it was issued, ISO 3166-1 alpha-2.")
    number_ending: str | None = field(description="The last four characters of its number; the number itself is not kept.")
    expires_on: date | None = field(description="The last day on which it is valid, in UTC.")
    categories: list[enums.LicenceCategory] | None = field(description="What may be driven with it, 15 at most.")
    reason: str | None = field(description="Why it was not accepted, for people.")
    submitted_at: datetime | None = field(description="When it was submitted.")
    decided_at: datetime | None = field(description="When it was accepted or not; null while it is pending.")

    @classmethod
    def of(cls, row: licences.Licence | None, now: datetime) -> DrivingLicence:
        def of_row(name: str) -> object:
            return None if row is None else getattr(row, name)

        named = ("country_code", "number_ending", "expires_on", "reason", "submitted_at", "decided_at")
        return cls(
            state=enums.LicenceState.NOT_SUBMITTED if row is None else row.state_at(now),
            categories=None if row is None else [enums.LicenceCategory(each) for each in row.categories],
            **{name: of_row(name) for name in named},  # type: ignore[arg-type]
        )


@strawberry.type
class ProfileFields:
    """What a rider's account shows beside who it is."""

    @fields.resolved("Home, work, then favourites by name; 50 at most.")
    async def saved_places(self, info: strawberry.Info) -> list[SavedPlace]:
        return [SavedPlace.of(row) for row in await place_resolvers.list_saved_places(info.context)]

    @fields.resolved("The driving licence, which cars and vans need.")
    async def driving_licence(self, info: strawberry.Info) -> DrivingLicence:
        row = await licence_resolvers.find_driving_licence(info.context)
        return DrivingLicence.of(row, info.context.runtime.clock.now())


@strawberry.type(description="A driving licence that was submitted, as staff see it.")
class OpsDrivingLicence:
    customer_id: strawberry.ID = field(description="Whose it is.")
    licence: DrivingLicence = field(description="What was submitted, and what became of it.")

    @classmethod
    def of(cls, row: licences.Licence, now: datetime) -> OpsDrivingLicence:
        customer_id = strawberry.ID(ids.encode(ids.CUSTOMER, row.customer_id))
        return cls(customer_id=customer_id, licence=DrivingLicence.of(row, now))
