"""Tool: the way from door to door, on foot and on a vehicle."""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ToolFailed

from agents.deps import AgentDeps
from agents.tools.fates import to_be_corrected, told_to_the_model
from agents.tools.points import Point, find_point
from domain import errors, fleet, ids, ports
from domain.values import LatLng, LegMode


async def plan_route(
    ctx: RunContext[AgentDeps], origin: str, destination: str | None = None, vehicle_id: str | None = None
) -> dict[str, Any]:
    """The way from the origin: a walk to the vehicle, then the ride to the destination. Without a vehicle, on foot.

    `estimated` is true where the street network was not consulted: say so to the rider.

    Args:
        origin: A place id from find_places, or "here".
        destination: A place id from find_places, or "here"; leave out for the walk to the vehicle alone.
        vehicle_id: A vehicle id from find_vehicles.
    """
    deps = ctx.deps
    if destination is None and vehicle_id is None:
        raise ToolFailed("Give a destination, a vehicle, or both.")
    with told_to_the_model():
        start = await find_point(deps, origin)
        end = await find_point(deps, destination) if destination else None
        vehicle = await find_vehicle(deps, vehicle_id) if vehicle_id else None
    if vehicle is not None and vehicle.is_ridden:
        raise ToolFailed("Somebody is riding that vehicle now. Choose another one.")
    legs = await find_legs(deps, start, vehicle, end)
    return {
        "from": start.as_json(),
        "to": end.as_json() if end else None,
        "legs": [leg_as_json(leg) for leg in legs],
        "totalDistanceMeters": sum(leg.distance_meters for leg in legs),
        "totalDurationSeconds": sum(leg.duration_seconds for leg in legs),
        "estimated": any(leg.estimated for leg in legs),
    }


async def find_vehicle(deps: AgentDeps, vehicle_id: str) -> fleet.Vehicle:
    """Raises ModelRetry for a malformed id, NotFound for a vehicle of another metro."""
    with to_be_corrected():
        published_id = ids.decode(vehicle_id, ids.VEHICLE, path="vehicleId")
    async with deps.session_factory() as session:
        vehicle = await fleet.get_vehicle(session, fleet.VehicleRef(published_id, published=True))
    if vehicle.metro_id != deps.turn.metro.id:
        raise errors.NotFound("There is no such vehicle.")
    return vehicle


async def find_legs(deps: AgentDeps, start: Point, vehicle: fleet.Vehicle | None, end: Point | None) -> list[ports.Route]:
    """Walk and ride, asked for together. No session is open meanwhile."""
    wanted: list[tuple[LegMode, LatLng, LatLng]] = []
    if vehicle is not None:
        wanted.append((LegMode.WALK, start.position, vehicle.position))
    if end is not None:
        mode = LegMode.of(vehicle.vehicle_type) if vehicle else LegMode.WALK
        wanted.append((mode, vehicle.position if vehicle else start.position, end.position))
    digest = deps.turn.metro.map_digest
    with told_to_the_model():
        legs = await asyncio.gather(*(deps.router.route(digest, mode, here, there) for mode, here, there in wanted))
    found = [leg for leg in legs if leg is not None]
    if len(found) < len(wanted):
        raise ToolFailed("No way leads there on this map. Choose another place or another kind of vehicle.")
    return found


def leg_as_json(leg: ports.Route) -> dict[str, Any]:
    return {
        "mode": leg.mode.value,
        "distanceMeters": leg.distance_meters,
        "durationSeconds": leg.duration_seconds,
        "estimated": leg.estimated,
    }
