"""What rides cost, in as many cases as nobody writes down."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings

from tests.domain import ride_cases


@pytest.mark.soak
@given(ride_cases.cases())
@settings(max_examples=10_000, deadline=timedelta(seconds=1))
def test_the_rules_of_bills_hold_in_ten_thousand_rides(case: ride_cases.Case) -> None:
    ride_cases.check(case)
