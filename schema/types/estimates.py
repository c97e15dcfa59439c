"""Estimates of rides."""

from __future__ import annotations

import strawberry
from strawberry import field

from domain import estimates
from schema.types.money import Money


@strawberry.type(description="What a ride to a destination would take, if it began now and went without a stop.")
class RideEstimate:
    distance_meters: int = field(description="Length of the way.")
    duration_seconds: int = field(description="Time on the way.")
    price: Money | None = field(description="By the tariff in force now; null where there is none.")
    is_reachable: bool = field(description="Whether the charge lasts for it and leaves 15 percent of the range.")
    is_estimated: bool = field(description="True when no street network was asked: great circle with a typical detour and speed.")

    @classmethod
    def of(cls, value: estimates.Estimate) -> RideEstimate:
        return cls(
            distance_meters=value.way.distance_meters,
            duration_seconds=value.way.duration_seconds,
            price=None if value.price is None else Money.of(value.price),
            is_reachable=value.is_reachable,
            is_estimated=True,
        )
