"""What a new metro charges: the first version of its tariffs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app import countries
from app.osm import CityMap
from domain import ids
from domain.values import VehicleType


@dataclass(frozen=True, slots=True)
class Prices:
    """Euro cents with VAT."""

    unlock: int
    per_minute: int
    pause_per_minute: int
    #: most for 24 hours
    day_cap: int
    cancel_fee: int
    late_fine: int
    wrong_place_fine: int
    deposit: int


_PRICES = {
    VehicleType.SCOOTER_STANDING: Prices(100, 23, 9, 2900, 0, 1000, 2500, 0),
    VehicleType.BICYCLE: Prices(100, 15, 5, 1900, 0, 1000, 2500, 0),
    VehicleType.CAR: Prices(0, 29, 15, 6900, 500, 2000, 5000, 10000),
    VehicleType.VAN: Prices(0, 36, 18, 8900, 700, 2000, 5000, 15000),
}
#: minor units of a currency that a euro cent is priced at
_PER_CENT = {
    "EUR": Decimal(1),
    "CHF": Decimal("0.95"),
    "CZK": Decimal(25),
    "DKK": Decimal("7.5"),
    "GBP": Decimal("0.85"),
    "HUF": Decimal(400),
    "NOK": Decimal("11.5"),
    "PLN": Decimal("4.3"),
    "RON": Decimal(5),
    "SEK": Decimal(11),
}


def tariff_rows(city_map: CityMap, metro_id: UUID, now: datetime) -> list[dict[str, Any]]:
    country = countries.get_country(city_map.country_code)
    rate = _PER_CENT[country.currency]

    def per_minute(cents: int) -> Decimal:
        return (cents * rate).quantize(Decimal("0.0001"))

    return [
        {
            "id": ids.new(),
            "metro_id": metro_id,
            "vehicle_type": vehicle_type,
            "version": 1,
            "currency": country.currency,
            "unlock_minor": round(prices.unlock * rate),
            "per_minute_minor": per_minute(prices.per_minute),
            "pause_per_minute_minor": per_minute(prices.pause_per_minute),
            "day_cap_minor": round(prices.day_cap * rate),
            "cancel_fee_minor": round(prices.cancel_fee * rate),
            "late_fine_minor": round(prices.late_fine * rate),
            "wrong_place_fine_minor": round(prices.wrong_place_fine * rate),
            "deposit_minor": round(prices.deposit * rate),
            "vat_percent": country.vat_percent,
            "valid_from": now,
        }
        for vehicle_type, prices in _PRICES.items()
    ]
