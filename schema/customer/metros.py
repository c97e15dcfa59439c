"""Metros, places and vehicles, as riders find them."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain import fleet as vehicles_domain
from domain import ids
from resolvers import fleet, metros
from schema import access
from schema.connections import Connection, connection
from schema.types.geo import LatLngInput
from schema.types.metros import Metro, Place
from schema.types.vehicles import Vehicle, VehicleType

MetroId = Annotated[strawberry.ID, strawberry.argument(description="The metro.")]
First = Annotated[int, strawberry.argument(description="How many, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="`endCursor` of the page before.")]


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

    @access.query(access.PUBLIC, "Vehicles that could be taken now, nearest first.")
    async def vehicles(
        self,
        info: strawberry.Info,
        metro_id: MetroId,
        near: Annotated[LatLngInput, strawberry.argument(description="Where to look.")],
        radius_meters: Annotated[int, strawberry.argument(description="How far to look, 1 to 20,000.")] = 1000,
        types: Annotated[
            list[VehicleType] | None,
            strawberry.argument(description="Which kinds; all when left out."),
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
            near=near.value("near"),
            radius_meters=radius_meters,
            wanted=fleet.Wanted(types or (), minimum_range_meters, minimum_battery_percent),
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
