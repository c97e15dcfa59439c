"""Tariffs, loaded once for all vehicles that an operation shows prices of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from domain import pricing
from domain.values import VehicleType
from resolvers.context import Runtime


async def load_tariffs(runtime: Runtime, metro_ids: Sequence[UUID]) -> list[Mapping[VehicleType, pricing.Tariff]]:
    """For a data loader: those in force, one query for all metros of an operation."""
    async with runtime.reading() as session:
        found = await pricing.find_tariffs(session, metro_ids, runtime.clock.now())
    return [found.get(metro_id, {}) for metro_id in metro_ids]
