"""Enums: the domain's own, with every value described."""

from __future__ import annotations

from enum import Enum

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from domain import actor, proposals, tables, values


def describe(members: type[Enum], description: str, *, name: str | None = None, **described: str) -> None:
    """Publishes an enum; names every value with its description and refuses to forget one."""
    strawberry.enum(members, name=name, description=description)
    definition: StrawberryEnumDefinition = members.__strawberry_definition__  # type: ignore[attr-defined]
    for value in definition.values:
        value.description = described.pop(value.name)
    if described:
        raise TypeError(f"{members.__name__} has no {', '.join(described)}")


VehicleType = values.VehicleType
describe(
    VehicleType,
    "Kind of vehicle, as in GBFS form factors.",
    SCOOTER_STANDING="Electric kick scooter. Held up to 30 minutes ahead, open-ended.",
    BICYCLE="Electrically assisted bicycle. Held up to 30 minutes ahead, open-ended.",
    CAR="Electric car. Booked for a fixed time, up to 7 days ahead.",
    VAN="Electric van; in GBFS a car with cargo capacity. Booked like a car.",
)
VehicleState = values.VehicleState
describe(
    VehicleState,
    "State of a vehicle, as in MDS 2.0.",
    AVAILABLE="In service and nobody's at the moment.",
    RESERVED="Held for a rider who has not unlocked it yet.",
    ON_TRIP="Being ridden.",
    STOPPED="In a rider's hands, standing (cars and vans).",
    NON_OPERATIONAL="Out of service where it stands.",
    REMOVED="Taken off the street.",
    NON_CONTACTABLE="Does not answer.",
    MISSING="Not where it should be.",
    ELSEWHERE="Outside the metro.",
)
ReservationState = values.ReservationState
describe(
    ReservationState,
    "State of a reservation, as in TOMP-API 2.0.",
    CONFIRMED="The vehicle is held.",
    STARTED="The vehicle has been unlocked.",
    ENDED="The trip is over.",
    CANCELLED="Given up before the start.",
    EXPIRED="Nobody came: the hold lapsed or the booked time passed.",
)
Role = actor.Role
describe(
    Role,
    "What an account may do.",
    RIDER="Rents vehicles.",
    TECHNICIAN="Works in the field: reports and repairs vehicles.",
    DISPATCHER="Steers a metro's fleet and helps riders.",
    ADMIN="May do everything in the ops namespace.",
)
TurnKind = tables.TurnKind
describe(
    TurnKind,
    "Why the agent speaks.",
    MESSAGE="It answers a message.",
    REPORT="It reports what a decision did.",
)
ProposalState = tables.ProposalState
describe(
    ProposalState,
    "State of a proposal.",
    PENDING="Waits for the rider's decision.",
    EXECUTED="Approved and done.",
    DECLINED="The rider said no.",
    SUPERSEDED="A newer proposal took its place.",
)
ProposalDecision = proposals.Decision
describe(
    ProposalDecision,
    "The rider's answer to a proposal.",
    name="ProposalDecision",
    APPROVE="Do exactly what is proposed.",
    DECLINE="Drop it.",
)
