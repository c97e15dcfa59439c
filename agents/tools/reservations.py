"""Tools: reservations. They list, and propose changes; only the rider's decision makes one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, Field
from pydantic_ai import RunContext
from pydantic_ai.exceptions import ToolFailed

from agents.deps import AgentDeps
from agents.tools.fates import to_be_corrected, told_to_the_model
from agents.tools.points import Point, find_point
from agents.tools.routes import find_legs, find_vehicle
from domain import (
    cancellations,
    errors,
    fleet,
    ids,
    licences,
    listings,
    ports,
    proposals,
    quotes,
    reservations,
    search,
)
from domain.values import ReservationState


async def reserve_vehicle(
    ctx: RunContext[AgentDeps],
    vehicle_id: str,
    origin: str,
    destination: str | None = None,
    starts_at: AwareDatetime | None = None,
    ends_at: AwareDatetime | None = None,
    expected_minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)] | None = None,
) -> dict[str, Any]:
    """Propose a reservation to the rider. Nothing is reserved: the rider confirms or declines on screen.

    Args:
        vehicle_id: A vehicle id from find_vehicles.
        origin: Where the rider walks from: a place id from find_places, or "here".
        destination: Where the ride goes, a place id or "here"; leave out when unknown.
        starts_at: Start with UTC offset; leave out for now.
        ends_at: End with UTC offset: required for cars and vans, never for scooters and bikes.
        expected_minutes: How long a scooter or bike will probably be ridden, for the price estimate.
    """
    deps = ctx.deps
    with told_to_the_model():
        start = await find_point(deps, origin)
        end = await find_point(deps, destination) if destination else None
        vehicle = await find_vehicle(deps, vehicle_id)
        offer = await _offer(deps, vehicle, starts_at or deps.clock.now(), ends_at, expected_minutes)
    legs = await find_legs(deps, start, vehicle, end)
    arguments = {
        "vehicleId": ids.encode(ids.VEHICLE, vehicle.published_id),
        "startsAt": offer.window.starts_at.isoformat(),
        "endsAt": offer.window.ends_at.isoformat() if offer.window.ends_at else None,
        "expectedMinutes": expected_minutes,
        "tariffId": ids.encode(ids.TARIFF, offer.tariff.id),
    }
    return await _propose(ctx, proposals.RESERVE_VEHICLE, arguments, _summary(offer, arguments, end, legs))


async def _offer(
    deps: AgentDeps, vehicle: fleet.Vehicle, starts_at: datetime, ends_at: datetime | None, expected_minutes: int | None
) -> quotes.Quote:
    """The price and window by the rules of reserving. Raises VehicleUnavailable naming what is free instead,
    DrivingLicenceRequired."""
    now = deps.clock.now()
    ref = fleet.VehicleRef(vehicle.published_id, published=True)
    async with deps.session_factory() as session:
        offer = await quotes.quote_reservation(
            session,
            vehicle=ref,
            starts_at=starts_at,
            ends_at=ends_at,
            expected_minutes=expected_minutes,
            customer_id=deps.actor.account_id,
            now=now,
        )
        if not vehicle.vehicle_type.is_micromobility:
            await licences.require_licence(session, deps.actor.account_id, offer.window)
        free = await search.find_vehicles(
            session,
            offer.metro.id,
            search.Area.around(vehicle.position, 1),
            types=[vehicle.vehicle_type],
            window=offer.window.blocked,
            now=now,
            limit=100,
        )
        if vehicle.id not in {each.id for each in free}:
            others = await quotes.find_alternatives(session, offer, now=now)
            instead = ", ".join(ids.encode(ids.VEHICLE, each.published_id) for each in others) or "none nearby"
            raise errors.VehicleUnavailable(f"That vehicle is not free at that time. Free instead: {instead}.")
    return offer


def _summary(offer: quotes.Quote, arguments: dict[str, Any], end: Point | None, legs: list[ports.Route]) -> dict[str, Any]:
    vehicle, ride = offer.vehicle, legs[1] if end else None
    pickup: dict[str, Any] = {"lat": vehicle.lat, "lon": vehicle.lon}
    if vehicle.station:
        pickup["name"] = vehicle.station.name
    return {
        "vehicleType": vehicle.vehicle_type.value,
        "vehicleId": arguments["vehicleId"],
        "plate": vehicle.plate,
        "batteryPercent": vehicle.battery_percent,
        "pickup": pickup,
        "walkMeters": legs[0].distance_meters,
        "walkSeconds": legs[0].duration_seconds,
        "startsAt": arguments["startsAt"],
        "endsAt": arguments["endsAt"],
        "destination": end.as_json() if end else None,
        "distanceMeters": ride.distance_meters if ride else None,
        "durationSeconds": ride.duration_seconds if ride else None,
        "estimated": ride.estimated if ride else None,
        "priceMinor": offer.price.minor_units if offer.price else None,
        "currency": offer.tariff.currency,
        "timezone": offer.metro.timezone,
    }


async def cancel_reservation(ctx: RunContext[AgentDeps], reservation_id: str) -> dict[str, Any]:
    """Propose to cancel a reservation of the rider. Nothing is cancelled: the rider confirms or declines on screen.
    Tell the rider the fee, if there is one.

    Args:
        reservation_id: A reservation id from list_reservations.
    """
    deps = ctx.deps
    with to_be_corrected():
        own_id = ids.decode(reservation_id, ids.RESERVATION, path="reservationId")
    with told_to_the_model():
        async with deps.session_factory() as session:
            found = await reservations.get_reservation(session, deps.actor, own_id)
    terms = cancellations.terms_of(found, deps.clock.now())
    if terms is None:
        over = "over" if found.state is ReservationState.CONFIRMED else found.state
        raise ToolFailed(f"The reservation is {over} and cannot be cancelled.")
    fee = {"feeMinor": terms.fee.minor_units, "currency": terms.fee.currency}
    summary = {
        "reservationId": reservation_id,
        "vehicleType": found.vehicle.vehicle_type.value,
        "plate": found.vehicle.plate,
        "startsAt": found.starts_at.isoformat(),
        "timezone": deps.turn.metro.timezone,
        "freeUntil": terms.free_until.isoformat() if terms.free_until else None,
        **fee,
    }
    return await _propose(ctx, proposals.CANCEL_RESERVATION, {"reservationId": reservation_id, **fee}, summary)


async def _propose(ctx: RunContext[AgentDeps], action: str, arguments: dict[str, Any], summary: dict[str, Any]) -> dict[str, Any]:
    """Stores the proposal once everything said before it is in the log."""
    deps, now = ctx.deps, ctx.deps.clock.now()
    await deps.settle(ctx.tool_call_id)
    async with deps.session_factory.begin() as session:
        made = await proposals.propose(
            session,
            turn_id=deps.turn.turn_id,
            attempt=deps.turn.attempt,
            conversation_id=deps.turn.conversation_id,
            action=action,
            arguments=arguments,
            summary=summary,
            now=now,
            expires_at=now + timedelta(minutes=deps.turn.metro.proposal_minutes),
        )
    return as_json(made)


def as_json(proposal: proposals.Proposal) -> dict[str, Any]:
    """Without the digest: deciding is not for the model."""
    return {
        "proposalId": ids.encode(ids.PROPOSAL, proposal.id),
        "action": proposal.action,
        "summary": proposal.summary,
        "expiresAt": proposal.expires_at.isoformat(),
        "next": "Ask the rider to confirm or decline on screen. Nothing has happened yet.",
    }


async def show_proposal(ctx: RunContext[AgentDeps]) -> dict[str, Any]:
    """The proposal that waits for the rider's decision, or null. Call it when the rider answers yes or no in words."""
    deps = ctx.deps
    async with deps.session_factory() as session:
        pending = await proposals.find_pending_proposal(session, deps.turn.conversation_id, now=deps.clock.now())
    return {"proposal": as_json(pending) if pending else None}


async def list_reservations(ctx: RunContext[AgentDeps]) -> dict[str, Any]:
    """The rider's open reservations, latest first, 20 at most."""
    deps = ctx.deps
    async with deps.session_factory() as session:
        found = await listings.list_open_reservations(session, deps.actor)
    return {
        "reservations": [
            {
                "reservationId": ids.encode(ids.RESERVATION, each.id),
                "vehicleType": each.vehicle.vehicle_type.value,
                "plate": each.vehicle.plate,
                "state": each.state.value,
                "startsAt": each.starts_at.isoformat(),
                "endsAt": each.ends_at.isoformat() if each.ends_at else None,
                "priceMinor": each.quoted_minor,
                "currency": each.currency,
            }
            for each in found
        ]
    }
