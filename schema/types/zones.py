"""Zones, with their shape and their rules."""

from __future__ import annotations

import strawberry
from strawberry import field

from domain import ids, zones
from schema.nodes import Node
from schema.scalars import MultiPolygon


@strawberry.type(description="What may be done in a zone, with vehicles of every type (GBFS geofencing rules).")
class ZoneRules:
    is_ride_start_allowed: bool = field(description="Whether a ride may begin here.")
    is_ride_end_allowed: bool = field(description="Whether a ride may end, and the vehicle stay, here.")
    is_ride_through_allowed: bool = field(description="Whether one may ride through.")
    maximum_speed_kph: int | None = field(description="Fastest speed, kilometers per hour; null: no other than elsewhere.")


@strawberry.type(description="An area with rules for starting, ending and riding (GBFS geofencing zone).")
class Zone(Node):
    name: str = field(description="As people call it; one of its name in a metro.")
    geometry: MultiPolygon = field(description="Its shape.")
    rules: ZoneRules = field(description="What may be done in it.")

    @classmethod
    def of(cls, row: zones.Zone) -> Zone:
        return cls(
            id=strawberry.ID(ids.encode(ids.ZONE, row.id)),
            name=row.name,
            geometry=MultiPolygon(row.geometry),
            rules=ZoneRules(
                is_ride_start_allowed=row.ride_start_allowed,
                is_ride_end_allowed=row.ride_end_allowed,
                is_ride_through_allowed=row.ride_through_allowed,
                maximum_speed_kph=row.maximum_speed_kph,
            ),
        )
