"""Proposals of the Travel Agent. Every number in them comes from the systems behind, never from a model."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import field

from domain import ids, proposals, values
from schema import enums
from schema.nodes import Node
from schema.types.geo import LatLng
from schema.types.money import Money
from schema.types.vehicles import VehicleType

ProposalState = enums.ProposalState


@strawberry.type(description="A point of a proposed trip.")
class Waypoint:
    name: str | None = field(description="As people call it, if it has a name.")
    position: LatLng = field(description="Where it is.")

    @classmethod
    def of(cls, given: dict[str, Any]) -> Waypoint:
        return cls(name=given.get("name"), position=LatLng(lat=given["lat"], lon=given["lon"]))


@strawberry.type(description="A reservation that a yes would make.")
class ProposedReservation:
    vehicle_id: strawberry.ID = field(description="The vehicle.")
    vehicle_type: VehicleType = field(description="What it is.")
    plate: str = field(description="What is written on it.")
    battery_percent: int = field(description="Charge, 0 to 100.")
    pickup: Waypoint = field(description="Where it stands.")
    walk_meters: int | None = field(description="Way on foot to it.")
    walk_seconds: int | None = field(description="Time on foot to it.")
    starts_at: datetime = field(description="When the reservation starts.")
    ends_at: datetime | None = field(description="When it ends; null when open-ended.")
    destination: Waypoint | None = field(description="Where the rider wants to go.")
    distance_meters: int | None = field(description="Way from the vehicle to the destination.")
    duration_seconds: int | None = field(description="Riding time to the destination.")
    is_estimated: bool | None = field(description="True when no street network answered, so distance and time are rough.")
    price: Money | None = field(description="Estimated price; null when it cannot be known yet.")

    @classmethod
    def of(cls, summary: dict[str, Any]) -> ProposedReservation:
        price = summary.get("priceMinor")
        ends_at = summary.get("endsAt")
        destination = summary.get("destination")
        return cls(
            vehicle_id=strawberry.ID(summary["vehicleId"]),
            vehicle_type=values.VehicleType(str(summary["vehicleType"]).lower()),
            plate=summary["plate"],
            battery_percent=summary["batteryPercent"],
            pickup=Waypoint.of(summary["pickup"]),
            walk_meters=summary.get("walkMeters"),
            walk_seconds=summary.get("walkSeconds"),
            starts_at=datetime.fromisoformat(summary["startsAt"]),
            ends_at=datetime.fromisoformat(ends_at) if ends_at else None,
            destination=Waypoint.of(destination) if destination else None,
            distance_meters=summary.get("distanceMeters"),
            duration_seconds=summary.get("durationSeconds"),
            is_estimated=summary.get("estimated"),
            price=Money.of(values.Money(price, summary["currency"])) if price is not None else None,
        )


@strawberry.type(description="A cancellation that a yes would make.")
class ProposedCancellation:
    reservation_id: strawberry.ID = field(description="The reservation.")
    vehicle_type: VehicleType = field(description="What is reserved.")
    plate: str = field(description="What is written on the vehicle.")
    starts_at: datetime = field(description="When the reservation starts.")
    fee: Money | None = field(description="What it costs; null when it is free. A yes pays this and nothing else.")
    free_until: datetime | None = field(description="Until when it is or was free; null when there is no limit.")

    @classmethod
    def of(cls, summary: dict[str, Any]) -> ProposedCancellation:
        free_until = summary.get("freeUntil")
        return cls(
            reservation_id=strawberry.ID(summary["reservationId"]),
            vehicle_type=values.VehicleType(str(summary["vehicleType"]).lower()),
            plate=summary["plate"],
            starts_at=datetime.fromisoformat(summary["startsAt"]),
            fee=Money.of(values.Money(summary["feeMinor"], summary["currency"])) if summary.get("feeMinor") else None,
            free_until=datetime.fromisoformat(free_until) if free_until else None,
        )


ProposalDetails = Annotated[
    ProposedReservation | ProposedCancellation,
    strawberry.union("ProposalDetails", description="What a yes would do."),
]


def _details(action: str, summary: dict[str, Any]) -> ProposedReservation | ProposedCancellation:
    if action == proposals.CANCEL_RESERVATION:
        return ProposedCancellation.of(summary)
    return ProposedReservation.of(summary)


@strawberry.type(description="Something the agent would do. Nothing happens before `decideProposal`.")
class Proposal(Node):
    details: ProposalDetails = field(description="What a yes would do, exactly.")
    digest: str = field(description="Names exactly these details; a decision repeats it.")
    state: ProposalState = field(description="Where it stands.")
    expires_at: datetime = field(description="A yes comes too late then.")

    @classmethod
    def of(cls, row: proposals.Proposal) -> Proposal:
        return cls(
            id=strawberry.ID(ids.encode(ids.PROPOSAL, row.id)),
            details=_details(row.action, row.summary),
            digest=row.digest.hex(),
            state=row.state,
            expires_at=row.expires_at,
        )

    @classmethod
    def made(cls, payload: dict[str, Any], proposal_id: str) -> Proposal:
        """From the event that announced it."""
        return cls(
            id=strawberry.ID(proposal_id),
            details=_details(payload["action"], payload["summary"]),
            digest=payload["digest"],
            state=ProposalState.PENDING,
            expires_at=datetime.fromisoformat(payload["expiresAt"]),
        )
