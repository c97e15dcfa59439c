"""Decimals: written exactly, read strictly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schema import scalars

DECIMAL = scalars.SCALARS[Decimal]


@pytest.mark.parametrize(
    ("value", "written"),
    [("19.0000", "19"), ("4.5000", "4.5"), ("0", "0"), ("100", "100"), ("0.0001", "0.0001"), ("-2.50", "-2.5"), ("0.00", "0")],
)
def test_a_decimal_is_written_without_what_adds_nothing(value: str, written: str) -> None:
    assert DECIMAL.serialize is not None
    assert DECIMAL.parse_value is not None
    assert DECIMAL.serialize(Decimal(value)) == written
    assert DECIMAL.parse_value(written) == Decimal(value)


@pytest.mark.parametrize("value", ["", "1e5", "NaN", "Infinity", "1.", ".5", "1,5", 1.5, 2, "1" * 13, " 1", None])
def test_what_is_no_plain_decimal_is_refused(value: object) -> None:
    assert DECIMAL.parse_value is not None
    with pytest.raises(ValueError, match="written as text"):
        DECIMAL.parse_value(value)
