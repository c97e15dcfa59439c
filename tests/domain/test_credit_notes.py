"""What is given back is what was charged, in whatever parts, and never more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import credit_notes, errors, meters
from domain.tables import ChargeCategory, LineKind, VatTreatment
from tests.domain import ride_cases

START = datetime(2026, 11, 20, 17, tzinfo=UTC)


@given(ride_cases.cases(), st.lists(st.integers(1, 5000), max_size=3))
def test_whatever_is_given_back_in_whatever_parts_it_is_what_was_charged(case: ride_cases.Case, amounts: list[int]) -> None:
    charged = meters.bill(case.tariff, case.ride)
    back: list[meters.Line] = []
    for amount in [*amounts, None]:
        left = charged.total.minor_units + sum(line.amount_minor for line in back)
        if left <= 0 or (amount is not None and amount > left):
            continue
        given_now = credit_notes.lines_to_give_back(charged.lines, back, amount_minor=amount)
        assert sum(line.amount_minor for line in given_now) == -(left if amount is None else amount)
        back += given_now
    assert sum(line.amount_minor for line in back) == -charged.total.minor_units


def test_what_the_cap_took_off_is_not_given_back() -> None:
    tariff = ride_cases.tariff_of(day_cap_minor=1000)
    charged = meters.bill(tariff, meters.Ride(START, START + timedelta(hours=5)))
    assert charged.total.minor_units == 1100
    for kinds in ([LineKind.RIDING], [LineKind.DAY_CAP], [LineKind.UNLOCK, LineKind.DAY_CAP], []):
        with pytest.raises(errors.InvalidInput):
            credit_notes.lines_to_give_back(charged.lines, [], kinds=kinds)
    note = credit_notes.lines_to_give_back(charged.lines, [])
    assert [(line.kind, line.amount_minor) for line in note] == [
        (LineKind.UNLOCK, -100),
        (LineKind.RIDING, -5700),
        (LineKind.DAY_CAP, 4700),
    ]


def test_of_a_fine_that_costs_more_than_is_left_what_is_left_is_given_back() -> None:
    outside = VatTreatment.OUT_OF_SCOPE
    fine = meters.Line(LineKind.LATE_RETURN, ChargeCategory.FINE, 1, Decimal(2000), 2000, outside, Decimal(0))
    capped = [*meters.bill(ride_cases.tariff_of(day_cap_minor=1000), meters.Ride(START, START + timedelta(hours=5))).lines, fine]
    before = credit_notes.lines_to_give_back(capped, [], amount_minor=2500)
    note = credit_notes.lines_to_give_back(capped, before, kinds=[LineKind.LATE_RETURN])
    assert sum(line.amount_minor for line in note) == -600
