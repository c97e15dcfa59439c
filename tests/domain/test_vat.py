"""VAT comes out of amounts that include it, once a rate, half up."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import vat
from domain.tables import VatTreatment


@dataclass(frozen=True)
class Line:
    amount_minor: int
    vat_percent: Decimal = Decimal(19)
    vat_treatment: VatTreatment = VatTreatment.STANDARD


@pytest.mark.parametrize(
    ("gross", "percent", "minor"),
    [(271, "19", 43), (290, "19", 46), (13_780, "19", 2200), (119, "19", 19), (100, "0", 0), (100, "25.5", 20), (3, "20", 1)],
)
def test_the_share_is_taken_out_half_up(gross: int, percent: str, minor: int) -> None:
    assert vat.vat_of(gross, Decimal(percent)) == minor


def test_it_is_rounded_once_a_rate_and_not_once_a_line() -> None:
    assert vat.shares([Line(271)] * 3) == (vat.VatShare(Decimal(19), 813, 130),)


def test_each_rate_has_its_share_and_what_is_out_of_scope_none() -> None:
    lines = [Line(1190), Line(107, Decimal(7)), Line(2500, Decimal(0), VatTreatment.OUT_OF_SCOPE)]
    assert vat.shares(lines) == (vat.VatShare(Decimal(7), 107, 7), vat.VatShare(Decimal(19), 1190, 190))


@given(st.integers(-100_000, 100_000), st.decimals(0, 30, places=2))
def test_what_is_given_back_carries_the_vat_that_was_taken(gross: int, percent: Decimal) -> None:
    assert vat.vat_of(-gross, percent) == -vat.vat_of(gross, percent)
    assert abs(vat.vat_of(gross, percent)) <= abs(gross)


def test_a_receipt_keeps_shares_as_text_and_whole_numbers() -> None:
    share = vat.VatShare(Decimal("25.5"), 271, 55)
    assert vat.to_json(share) == {"percent": "25.50", "grossMinor": 271, "vatMinor": 55}
    assert vat.of_json(vat.to_json(share)) == share
