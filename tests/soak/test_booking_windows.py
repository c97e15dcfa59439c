"""The rules of windows, in as many cases as nobody writes down."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings

from tests.domain import window_cases
from tests.domain.test_booking_windows import METRO


@pytest.mark.soak
@given(window_cases.cases())
@settings(max_examples=10_000, deadline=timedelta(seconds=1))
def test_the_rules_hold_to_the_second_in_ten_thousand_cases(case: window_cases.Case) -> None:
    window_cases.check(case, METRO)
