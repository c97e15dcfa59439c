"""Metros, places and vehicles, as riders find them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, cast

import strawberry
from strawberry import field

from domain import errors, ids, search
from domain import fleet as vehicles_domain
from resolvers import areas, fleet, metros
from schema import access, connections
from schema.connections import Connection, connection
from schema.types.geo import AreaInput, LatLngInput
from schema.types.metros import Metro, Place
from schema.types.vehicles import Vehicle, VehicleType

MetroId = Annotated[strawberry.ID, strawberry.argument(description="The metro.")]
First = connections.First
After = connections.After


_WINDOW = "When a car or van is wanted, by the rules of booking; now when left out."


@strawberry.input(
    description="A time to book a car or van for: 7 days ahead and long at most, where the metro does not say otherwise."
)
class BookingWindowInput:
    starts_at: datetime = field(description="When it is to be taken.")
    ends_at: datetime = field(description="When it is to be back.")


def _area(area: AreaInput | None, near: LatLngInput | None, radius_meters: int) -> search.Area:
    if (area is None) == (near is None):
        raise errors.InvalidInput.of("area", "Say where to look, in one way: give area, or near with radiusMeters.")
    if area is not None:
        return area.value("area")
    return areas.around(cast("LatLngInput", near).value("near"), radius_meters, "radiusMeters")


@strawberry.type
class MetroQueries:
    @access.query(access.PUBLIC, "All metros, the default one first; 1,000 at most.")
    async def metros(self, info: strawberry.Info) -> list[Metro]:
        return [Metro.of(row) for row in await metros.list_metros(info.context)]

    @access.query(access.PUBLIC, "Places of a metro, best match first: exact names, then beginnings, words, parts.")
    async def places(
        self,
        info: strawberry.Info,
        metro_id: MetroId,
        search: Annotated[str | None, strawberry.argument(description="Part of the name; without it the best known.")] = None,
        near: Annotated[LatLngInput | None, strawberry.argument(description="Nearer ones first among equals.")] = None,
        first: Annotated[int, strawberry.argument(description="How many, 1 to 50.")] = 10,
    ) -> list[Place]:
        point = near.value("near") if near else None
        rows = await metros.search_places(info.context, metro_id=metro_id, search=search, near=point, first=first)
        return [Place.of(row) for row in rows]

    @access.query(access.PUBLIC, "Vehicles that could be taken now, or booked for a window, nearest first.")
    async def vehicles(
        self,
        info: strawberry.Info,
        metro_id: MetroId,
        area: Annotated[AreaInput | None, strawberry.argument(description="Where to look; or give `near`.")] = None,
        near: Annotated[LatLngInput | None, strawberry.argument(description="Short for `area.near`.")] = None,
        radius_meters: Annotated[int, strawberry.argument(description="How far from `near` to look, 1 to 20,000.")] = 1000,
        window: Annotated[BookingWindowInput | None, strawberry.argument(description=_WINDOW)] = None,
        types: Annotated[
            list[VehicleType] | None,
            strawberry.argument(description="Which kinds; all when left out, with `window` cars and vans."),
        ] = None,
        minimum_range_meters: Annotated[
            int, strawberry.argument(description="How far their charge must last, 0 to 1,000,000.")
        ] = 0,
        minimum_battery_percent: Annotated[int, strawberry.argument(description="Least charge, 0 to 100.")] = 0,
        first: First = 20,
        after: After = None,
    ) -> Connection[Vehicle]:
        page = await fleet.search_vehicles(
            info.context,
            metro_id=metro_id,
            area=_area(area, near, radius_meters),
            wanted=fleet.Wanted(types or (), minimum_range_meters, minimum_battery_percent),
            span=fleet.Span(window.starts_at, window.ends_at) if window else None,
            first=first,
            after=after,
        )
        return connection(page, Vehicle.of)

    @access.query(access.PUBLIC, "One vehicle by its published id; null when that id is not, or no longer, in use.")
    async def vehicle(
        self, info: strawberry.Info, id: Annotated[strawberry.ID, strawberry.argument(description="`vehicle_…`")]
    ) -> Vehicle | None:
        ref = vehicles_domain.VehicleRef(ids.decode(id, ids.VEHICLE), published=True)
        row = await fleet.find_vehicle(info.context, ref)
        return None if row is None else Vehicle.of(row)
