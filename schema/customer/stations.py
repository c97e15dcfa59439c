"""Stations, as riders find them."""

from __future__ import annotations

from typing import Annotated

import strawberry

from resolvers import stations
from schema import access
from schema.connections import Connection, connection
from schema.customer.metros import After, First, MetroId
from schema.types.geo import AreaInput
from schema.types.stations import StationStatus


@strawberry.type
class StationQueries:
    @access.query(access.PUBLIC, "Stations with the vehicles and the room that they have now, nearest first.")
    async def stations(
        self,
        info: strawberry.Info,
        metro_id: MetroId,
        area: Annotated[AreaInput, strawberry.argument(description="Where to look.")],
        first: First = 20,
        after: After = None,
    ) -> Connection[StationStatus]:
        page = await stations.search_stations(info.context, metro_id=metro_id, area=area.value("area"), first=first, after=after)
        return connection(page, StationStatus.of)
