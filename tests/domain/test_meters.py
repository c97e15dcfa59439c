"""What a ride costs: every started minute, pauses at their own price, a cap a day, fines as separate lines."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain import meters, pricing
from domain.tables import ChargeCategory, LineKind, VatTreatment
from domain.values import Money
from tests.domain import ride_cases
from tests.domain.ride_cases import DAY, MINUTE, tariff_of

START = datetime(2026, 11, 20, 17, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def ride_of(seconds: float, *pauses: tuple[float, float | None], **given: object) -> meters.Ride:
    taken = tuple(meters.Pause(at(begin), None if end is None else at(end)) for begin, end in pauses)
    return meters.Ride(START, at(seconds), taken, **given)  # type: ignore[arg-type]


def lines_of(tariff: pricing.Tariff, ride: meters.Ride) -> dict[LineKind, tuple[int, int]]:
    """Quantity and amount of each line."""
    return {line.kind: (line.quantity, line.amount_minor) for line in meters.bill(tariff, ride).lines}


@settings(max_examples=200)
@given(ride_cases.cases())
def test_the_rules_hold_whatever_the_ride_the_tariff_and_the_clocks(case: ride_cases.Case) -> None:
    ride_cases.check(case)


@given(ride_cases.tariffs, st.integers(0, 9 * DAY), st.booleans())
def test_a_quote_is_what_the_same_ride_costs_without_a_pause(tariff: pricing.Tariff, seconds: int, was_reserved: bool) -> None:
    quoted = pricing.price(tariff, seconds, was_reserved=was_reserved)
    assert meters.bill(tariff, ride_of(seconds, was_reserved=was_reserved)).total == quoted


@given(ride_cases.tariffs, st.integers(0, 2 * DAY), st.integers(0, 2 * DAY))
def test_while_a_pause_lasts_the_price_never_falls_from_one_minute_to_the_next(
    tariff: pricing.Tariff, begun: int, lasted: int
) -> None:
    ride = meters.Ride(START, None, (meters.Pause(at(begun)),))
    before, after = (meters.running_price(tariff, ride, at(begun + lasted + more)) for more in (0, MINUTE))
    assert before.minor_units <= after.minor_units


@pytest.mark.parametrize(
    ("seconds", "minor", "vat_minor"),
    [(540, 271, 43), (541, 290, 46), (12 * 3600, 13_780, 2200), (0, 119, 19), (60.9, 119, 19)],
)
def test_every_started_minute_is_billed_and_vat_taken_out_of_the_total(seconds: float, minor: int, vat_minor: int) -> None:
    bill = meters.bill(tariff_of(), ride_of(seconds))
    assert bill.total == Money(minor, "EUR")
    assert [(share.gross_minor, share.vat_minor) for share in bill.vat] == [(minor, vat_minor)]


def test_a_pause_costs_its_whole_minutes_at_its_own_price() -> None:
    found = lines_of(tariff_of(), ride_of(600, (120, 299)))
    assert found == {LineKind.UNLOCK: (1, 100), LineKind.RIDING: (8, 152), LineKind.PAUSE: (2, 10)}


def test_a_pause_of_less_than_a_minute_is_riding() -> None:
    assert LineKind.PAUSE not in lines_of(tariff_of(), ride_of(600, (120, 179)))


def test_short_pauses_add_up() -> None:
    assert lines_of(tariff_of(), ride_of(600, (60, 90), (120, 150)))[LineKind.PAUSE] == (1, 5)


def test_pauses_that_overlap_count_once() -> None:
    assert lines_of(tariff_of(), ride_of(600, (60, 180), (120, 240)))[LineKind.PAUSE] == (3, 15)


def test_a_pause_that_nobody_ended_ends_with_the_ride() -> None:
    assert lines_of(tariff_of(), ride_of(600, (300, None))) == {
        LineKind.UNLOCK: (1, 100),
        LineKind.RIDING: (5, 95),
        LineKind.PAUSE: (5, 25),
    }


def test_the_day_cap_is_a_line_of_its_own_and_counts_for_each_started_day() -> None:
    tariff = tariff_of(day_cap_minor=1000)
    assert lines_of(tariff, ride_of(DAY + 600)) == {
        LineKind.UNLOCK: (1, 100),
        LineKind.RIDING: (1450, 27_550),
        LineKind.DAY_CAP: (1, -(1440 * 19 - 1000)),
    }


def test_the_cap_holds_for_riding_and_pauses_together() -> None:
    tariff = tariff_of(day_cap_minor=1000, unlock_minor=0)
    assert meters.bill(tariff, ride_of(10 * 3600, (60, 9 * 3600))).total == Money(1000, "EUR")


def test_a_fraction_of_a_cent_is_rounded_once() -> None:
    tariff = tariff_of(unlock_minor=0, per_minute_minor=Decimal("0.5"), pause_per_minute_minor=Decimal("0.5"))
    assert lines_of(tariff, ride_of(120, (0, 60))) == {LineKind.RIDING: (1, 0), LineKind.PAUSE: (1, 1)}


def test_who_reserved_pays_the_fee_for_it_and_who_walks_up_does_not() -> None:
    tariff = tariff_of(reservation_minor=50)
    assert lines_of(tariff, ride_of(60, was_reserved=True))[LineKind.RESERVATION] == (1, 50)
    assert LineKind.RESERVATION not in lines_of(tariff, ride_of(60))


def test_a_return_is_late_after_the_grace_and_not_at_its_end() -> None:
    assert LineKind.LATE_RETURN not in lines_of(tariff_of(), ride_of(600, fined_after=at(600)))
    assert lines_of(tariff_of(), ride_of(600.001, fined_after=at(600)))[LineKind.LATE_RETURN] == (1, 1000)


def test_a_fine_that_is_no_supply_carries_no_vat() -> None:
    tariff = tariff_of(fee_vat=VatTreatment.OUT_OF_SCOPE)
    bill = meters.bill(tariff, ride_of(540, left_in_wrong_place=True))
    fine = bill.lines[-1]
    assert (fine.kind, fine.category, fine.vat_treatment, fine.vat_percent) == (
        LineKind.WRONG_PLACE,
        ChargeCategory.FINE,
        VatTreatment.OUT_OF_SCOPE,
        Decimal(0),
    )
    assert bill.total == Money(2771, "EUR")
    assert [(share.gross_minor, share.vat_minor) for share in bill.vat] == [(271, 43)]


def test_a_night_that_has_an_hour_twice_costs_what_has_passed() -> None:
    start = datetime.fromisoformat("2026-10-25T02:50:00+02:00")
    ended = datetime.fromisoformat("2026-10-25T02:10:00+01:00")
    assert meters.bill(tariff_of(unlock_minor=0), meters.Ride(start, ended)).total == Money(20 * 19, "EUR")


def test_a_clock_that_jumps_back_costs_a_minute_and_no_less() -> None:
    assert meters.running_price(tariff_of(), replace(ride_of(0), ended_at=None), at(-3600)) == Money(119, "EUR")


def test_a_ride_that_lasts_has_no_bill() -> None:
    with pytest.raises(ValueError, match="lasts"):
        meters.bill(tariff_of(), replace(ride_of(0), ended_at=None))
