"""Tool: vehicles a rider could take."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import AwareDatetime, Field
from pydantic_ai import RunContext

from agents.deps import AgentDeps
from agents.tools.fates import told_to_the_model
from agents.tools.points import find_point
from domain import booking_windows, fleet, ids, search
from domain.values import TimeWindow, VehicleType

MAX_RESULTS = 8


async def find_vehicles(
    ctx: RunContext[AgentDeps],
    near: str,
    vehicle_type: VehicleType,
    starts_at: AwareDatetime | None = None,
    ends_at: AwareDatetime | None = None,
    radius_meters: Annotated[int, Field(ge=50, le=5000)] = 1000,
) -> dict[str, Any]:
    """Vehicles of one type that can be reserved for that time, nearest first. Distances are as the crow flies.

    Args:
        near: A place id from find_places, or "here" for the rider's own position.
        vehicle_type: What to look for.
        starts_at: Start of use with UTC offset; leave out for now.
        ends_at: End of use with UTC offset; for cars and vans only.
        radius_meters: How far from the point to look.
    """
    deps = ctx.deps
    with told_to_the_model():
        point = await find_point(deps, near)
        now = deps.clock.now()
        window = _window(deps, vehicle_type, starts_at, ends_at)
        async with deps.session_factory() as session:
            found = await search.find_vehicles(
                session,
                deps.turn.metro.id,
                search.Area.around(point.position, radius_meters),
                types=[vehicle_type],
                window=window,
                now=now,
                limit=MAX_RESULTS,
            )
    return {"vehicles": [as_json(vehicle) for vehicle in found]}


def _window(
    deps: AgentDeps, vehicle_type: VehicleType, starts_at: AwareDatetime | None, ends_at: AwareDatetime | None
) -> TimeWindow:
    """When the vehicle would be the rider's alone. A booking without an end is looked up for the shortest one."""
    now, metro = deps.clock.now(), deps.turn.metro
    start = starts_at or now
    if ends_at is None and not vehicle_type.is_micromobility:
        ends_at = start + timedelta(minutes=metro.booking_min_minutes)
    if vehicle_type.is_micromobility:
        ends_at = None
    return booking_windows.window_for(vehicle_type, metro, starts_at=start, ends_at=ends_at, now=now).blocked


def as_json(vehicle: fleet.Vehicle) -> dict[str, Any]:
    return {
        "vehicleId": ids.encode(ids.VEHICLE, vehicle.published_id),
        "vehicleType": vehicle.vehicle_type.value,
        "plate": vehicle.plate,
        "batteryPercent": vehicle.battery_percent,
        "currentRangeMeters": vehicle.current_range_meters,
        "distanceMeters": None if vehicle.distance_meters is None else round(vehicle.distance_meters),
        "station": vehicle.station.name if vehicle.station else None,
        "lat": vehicle.lat,
        "lon": vehicle.lon,
    }
