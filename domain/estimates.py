"""Estimates: how far a ride would be, how long it would take, what it would cost. Pure; no street network is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from domain import pricing
from domain.values import LatLng, LegMode, Money, VehicleType


@dataclass(frozen=True, slots=True)
class Pace:
    """How a mode gets through a city."""

    #: way over great circle
    detour: float
    kilometers_per_hour: float


#: medians of 400 routes in a city on a river with few bridges
PACES: Mapping[LegMode, Pace] = {
    LegMode.WALK: Pace(1.35, 5.0),
    LegMode.BICYCLE: Pace(1.5, 16.0),
    LegMode.SCOOTER: Pace(1.5, 16.0),
    LegMode.CAR: Pace(1.8, 28.0),
}
#: share of the range that an arrival must leave: ways are longer than estimated, and charge is used up by hills and cold
RANGE_RESERVE = 0.15


@dataclass(frozen=True, slots=True)
class Way:
    distance_meters: int
    duration_seconds: int


@dataclass(frozen=True, slots=True)
class Estimate:
    way: Way
    #: None where the type has no tariff
    price: Money | None
    is_reachable: bool


def way(mode: LegMode, start: LatLng, end: LatLng) -> Way:
    """Great circle times a detour, at a typical speed."""
    pace = PACES[mode]
    meters = start.meters_to(end) * pace.detour
    return Way(round(meters), round(meters / pace.kilometers_per_hour * 3.6))


def estimate_ride(
    vehicle_type: VehicleType, start: LatLng, destination: LatLng, *, range_meters: int, tariff: pricing.Tariff | None
) -> Estimate:
    """Of a ride that begins now, without a stop."""
    found = way(LegMode.of(vehicle_type), start, destination)
    cost = None if tariff is None else pricing.price(tariff, found.duration_seconds)
    return Estimate(found, cost, found.distance_meters <= range_meters * (1 - RANGE_RESERVE))
