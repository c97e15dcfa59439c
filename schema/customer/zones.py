"""Zones, as riders find them."""

from __future__ import annotations

import strawberry

from resolvers import zones
from schema import access
from schema.connections import Connection, connection
from schema.customer.metros import After, First, MetroId
from schema.types.zones import Zone


@strawberry.type
class ZoneQueries:
    @access.query(access.PUBLIC, "Zones of a metro with their shapes and rules, by name.")
    async def zones(self, info: strawberry.Info, metro_id: MetroId, first: First = 20, after: After = None) -> Connection[Zone]:
        page = await zones.list_zones(info.context, metro_id=metro_id, first=first, after=after)
        return connection(page, Zone.of)
