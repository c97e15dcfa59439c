"""VAT: the share of it in amounts that include it, by rate (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Protocol

from domain.tables import VatTreatment


@dataclass(frozen=True, slots=True)
class VatShare:
    percent: Decimal
    #: VAT included
    gross_minor: int
    vat_minor: int


class Taxed(Protocol):
    """What a line says of its VAT."""

    @property
    def amount_minor(self) -> int: ...
    @property
    def vat_treatment(self) -> VatTreatment: ...
    @property
    def vat_percent(self) -> Decimal: ...


def half_up(amount: Decimal) -> int:
    """To whole minor units, halves away from zero: what is given back is what was taken."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def percent_of(treatment: VatTreatment, percent: Decimal) -> Decimal:
    return percent if treatment is VatTreatment.STANDARD else Decimal(0)


def vat_of(gross_minor: int, percent: Decimal) -> int:
    return half_up(gross_minor * percent / (100 + percent))


def shares(lines: Iterable[Taxed]) -> tuple[VatShare, ...]:
    """Once for each rate over all of its lines, lowest rate first. Lines out of scope have no part in it."""
    gross: dict[Decimal, int] = {}
    for line in lines:
        if line.vat_treatment is VatTreatment.STANDARD:
            gross[line.vat_percent] = gross.get(line.vat_percent, 0) + line.amount_minor
    return tuple(VatShare(percent, minor, vat_of(minor, percent)) for percent, minor in sorted(gross.items()))


def to_json(share: VatShare) -> dict[str, Any]:
    """As a receipt keeps it."""
    return {"percent": f"{share.percent:.2f}", "grossMinor": share.gross_minor, "vatMinor": share.vat_minor}


def of_json(kept: dict[str, Any]) -> VatShare:
    return VatShare(Decimal(kept["percent"]), kept["grossMinor"], kept["vatMinor"])
