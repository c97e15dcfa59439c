"""Incidents, as staff see them."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from domain import ids, incidents
from schema import trip_enums
from schema.nodes import Node
from schema.types.geo import LatLng
from schema.types.vehicles import FleetVehicle

EmergencyKind = trip_enums.EmergencyKind


@strawberry.type(description="Something that staff have to answer, such as an emergency that a rider has reported.")
class OpsIncident(Node):
    severity: int = field(description="1 to 4; 1: somebody may be in danger.")
    kind: EmergencyKind = field(description="What happened.")
    comment: str | None = field(description="What the rider wrote; null when nothing was written.")
    position: LatLng | None = field(description="Where it was reported from; null when that is not known.")
    vehicle: FleetVehicle | None = field(description="The vehicle, as it stands now; null when none was named.")
    trip_id: strawberry.ID | None = field(description="The trip that it ended; null when there was none.")
    customer_id: strawberry.ID | None = field(description="Who reported it; null when nobody did.")
    reported_at: datetime = field(description="When it was reported.")
    resolved_at: datetime | None = field(description="When somebody had dealt with it; null: it is open.")
    resolved_by_id: strawberry.ID | None = field(description="Who had; null while it is open.")

    @classmethod
    def of(cls, row: incidents.Incident) -> OpsIncident:
        return cls(
            id=strawberry.ID(ids.encode(ids.OPS_INCIDENT, row.id)),
            severity=row.severity,
            kind=row.kind,
            comment=row.comment,
            position=None if row.position is None else LatLng(lat=row.position.lat, lon=row.position.lon),
            vehicle=None if row.vehicle is None else FleetVehicle.of(row.vehicle),
            trip_id=strawberry.ID(ids.encode(ids.OPS_TRIP, row.trip_id)) if row.trip_id else None,
            customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, row.customer_id)) if row.customer_id else None,
            reported_at=row.reported_at,
            resolved_at=row.resolved_at,
            resolved_by_id=strawberry.ID(ids.encode(ids.STAFF, row.resolved_by)) if row.resolved_by else None,
        )
