"""Vehicles around a rider, as they change."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

import strawberry

from resolvers import nearby
from schema import access
from schema.customer.metros import MetroId
from schema.types import nearby as nearby_types
from schema.types.geo import BoxInput


@strawberry.type
class NearbySubscriptions:
    @access.subscription(
        access.RIDERS,
        "What changes among the vehicles that may be taken now in a box: changes only, merged, one item a second at most."
        " A vehicle that is booked for soon goes when its booking begins.",
    )
    async def customer_vehicles_nearby(
        self,
        info: strawberry.Info,
        metro_id: MetroId,
        box: Annotated[BoxInput, strawberry.argument(description="Where to look: 0.2 degrees wide and high at most.")],
        after: Annotated[
            str | None,
            strawberry.argument(
                description="A cursor, such as the metro's: the latest of what changed behind it comes. Without it from now on."
            ),
        ] = None,
    ) -> AsyncGenerator[nearby_types.VehiclesNearbyUpdate, None]:
        items = await nearby.follow_vehicles_nearby(info.context, metro_id=metro_id, box=box.value(), after=after)
        async with aclosing(items):
            async for item in items:
                yield nearby_types.of_item(info.context, item)
