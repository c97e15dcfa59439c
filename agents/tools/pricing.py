"""Tool: what a ride costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field
from pydantic_ai import RunContext

from agents.deps import AgentDeps
from agents.tools.fates import told_to_the_model
from domain import pricing
from domain.values import VehicleType


async def quote(
    ctx: RunContext[AgentDeps],
    vehicle_type: VehicleType,
    minutes: Annotated[int, Field(ge=1, le=7 * 24 * 60)] | None = None,
) -> dict[str, Any]:
    """The price of using a vehicle for that long, and the tariff behind it. Amounts include VAT.

    Args:
        vehicle_type: What is ridden.
        minutes: For how long; leave out for the tariff alone, then priceMinor is null.
    """
    deps = ctx.deps
    with told_to_the_model():
        async with deps.session_factory() as session:
            tariff = await pricing.get_tariff(session, deps.turn.metro.id, vehicle_type, deps.clock.now())
    return {
        "vehicleType": vehicle_type.value,
        "minutes": minutes,
        "priceMinor": pricing.price(tariff, minutes * 60).minor_units if minutes else None,
        "currency": tariff.currency,
        "unlockMinor": tariff.unlock_minor,
        "perMinuteMinor": _plain(tariff.per_minute_minor),
        "perMinute": _major(tariff.per_minute_minor),
        "dayCapMinor": tariff.day_cap_minor,
        "vatPercent": _plain(tariff.vat_percent),
    }


def _plain(amount: Decimal) -> str:
    """Exact digits without trailing zeros or an exponent."""
    return f"{amount.normalize():f}"


def _major(minor: Decimal) -> str:
    """Two decimals at least: 0.20, 0.195."""
    whole, _, digits = _plain(minor / 100).partition(".")
    return f"{whole}.{digits.ljust(2, '0')}"
