"""Rides around the nights that clocks change, with tariffs that nobody would write, and what must be true of their bills: an
oracle that knows nothing but seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from domain import meters, pricing, receipt_lines
from domain.tables import LineKind, VatTreatment
from domain.values import VehicleType
from tests.domain.window_cases import NIGHTS, ZONES

MINUTE, DAY = 60, 86_400
#: of the caller's choice, in seconds: where rules bend
EDGES = (0, 1, MINUTE - 1, MINUTE, MINUTE + 1, DAY - 1, DAY, DAY + 1, 2 * DAY)
lengths = st.sampled_from(EDGES) | st.integers(0, 3 * 3600) | st.integers(0, 8 * DAY)
rates = st.integers(0, 100).map(Decimal) | st.decimals(0, 100, places=4)
FINES = (LineKind.LATE_RETURN, LineKind.WRONG_PLACE)


def tariff_of(**given: object) -> pricing.Tariff:
    columns: dict[str, object] = {
        "id": UUID(int=1),
        "metro_id": UUID(int=2),
        "vehicle_type": VehicleType.BICYCLE,
        "version": 1,
        "currency": "EUR",
        "unlock_minor": 100,
        "per_minute_minor": Decimal(19),
        "day_cap_minor": None,
        "vat_percent": Decimal(19),
        "pause_per_minute_minor": Decimal(5),
        "late_fine_minor": 1000,
        "wrong_place_fine_minor": 2500,
    }
    return pricing.Tariff(**{**columns, **given})  # type: ignore[arg-type]


tariffs = st.builds(
    tariff_of,
    unlock_minor=st.integers(0, 500),
    per_minute_minor=rates,
    pause_per_minute_minor=rates,
    day_cap_minor=st.none() | st.integers(0, 20_000),
    vat_percent=st.sampled_from([Decimal(0), Decimal(7), Decimal(19), Decimal("25.5")]),
    reservation_minor=st.integers(0, 300),
    late_fine_minor=st.integers(0, 3000),
    wrong_place_fine_minor=st.integers(0, 5000),
    fee_vat=st.sampled_from(VatTreatment),
)


@dataclass(frozen=True)
class Case:
    zone: str
    tariff: pricing.Tariff
    ride: meters.Ride


@st.composite
def cases(draw: st.DrawFn) -> Case:
    zone = draw(st.sampled_from(ZONES))
    start = draw(st.sampled_from(NIGHTS[zone])) - timedelta(seconds=draw(st.integers(0, 2 * DAY)))
    start += timedelta(microseconds=draw(st.integers(0, 999_999)))
    length = draw(lengths)
    cuts = sorted(draw(st.lists(st.integers(0, length), max_size=6)))
    pairs = zip(cuts[::2], cuts[1::2], strict=False)
    pauses = tuple(meters.Pause(start + timedelta(seconds=begin), start + timedelta(seconds=end)) for begin, end in pairs)
    due = draw(st.none() | st.integers(0, 8 * DAY))
    ride = meters.Ride(
        started_at=start,
        ended_at=start + timedelta(seconds=length),
        pauses=pauses,
        was_reserved=draw(st.booleans()),
        fined_after=None if due is None else start + timedelta(seconds=due),
        left_in_wrong_place=draw(st.booleans()),
    )
    return Case(zone, draw(tariffs), ride)


def half_up(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def check(case: Case) -> None:
    tariff, ride = case.tariff, case.ride
    assert ride.ended_at is not None
    bill = meters.bill(tariff, ride)
    elapsed = round((ride.ended_at - ride.started_at).total_seconds())
    paused = _paused_minutes(ride)
    amounts = {line.kind: line for line in bill.lines}
    riding = amounts[LineKind.RIDING].quantity if LineKind.RIDING in amounts else 0

    assert sum(line.amount_minor for line in bill.lines) == bill.total.minor_units >= 0
    assert len(amounts) == len(bill.lines)
    assert riding + paused == max(1, -(-elapsed // MINUTE))
    assert all(line.quantity >= 1 for line in bill.lines)
    assert all((line.amount_minor < 0) == (line.kind is LineKind.DAY_CAP) for line in bill.lines)
    _pauses_cost_what_the_tariff_says(tariff, amounts, paused)
    _a_day_costs_the_cap_at_most(tariff, bill, elapsed)
    _every_line_is_its_price_times_its_quantity(bill)
    _fines_are_for_those_who_earned_them(tariff, ride, amounts)
    _vat_is_taken_out_once_a_rate(bill)
    assert sum(receipt_lines.entries_of(bill).values()) == 0
    fines = sum(amounts[kind].amount_minor for kind in FINES if kind in amounts)
    assert meters.running_price(tariff, ride, ride.ended_at).minor_units == bill.total.minor_units - fines
    _clocks_on_the_wall_do_not_matter(case, bill)
    _ending_later_is_never_cheaper(case, bill)


def _paused_minutes(ride: meters.Ride) -> int:
    """Second by second would take too long: by the day, with whole seconds."""
    found: dict[int, int] = {}
    for pause in ride.pauses:
        assert pause.ended_at is not None
        begin = round((pause.started_at - ride.started_at).total_seconds())
        end = round((pause.ended_at - ride.started_at).total_seconds())
        while begin < end:
            until = min(end, (begin // DAY + 1) * DAY)
            found[begin // DAY] = found.get(begin // DAY, 0) + until - begin
            begin = until
    return sum(seconds // MINUTE for seconds in found.values())


def _pauses_cost_what_the_tariff_says(tariff: pricing.Tariff, lines: dict[LineKind, meters.Line], minutes: int) -> None:
    assert (LineKind.PAUSE in lines) == (minutes > 0)
    if minutes:
        line = lines[LineKind.PAUSE]
        assert (line.quantity, line.unit_minor) == (minutes, tariff.pause_per_minute_minor)
        assert line.amount_minor == half_up(minutes * tariff.pause_per_minute_minor)


def _a_day_costs_the_cap_at_most(tariff: pricing.Tariff, bill: meters.Bill, elapsed: int) -> None:
    time = sum(line.amount_minor for line in bill.lines if line.kind in (LineKind.RIDING, LineKind.PAUSE, LineKind.DAY_CAP))
    if tariff.day_cap_minor is None:
        assert LineKind.DAY_CAP not in {line.kind for line in bill.lines}
    else:
        assert time <= max(1, -(-elapsed // DAY)) * tariff.day_cap_minor


def _every_line_is_its_price_times_its_quantity(bill: meters.Bill) -> None:
    for line in bill.lines:
        off = line.amount_minor - line.quantity * line.unit_minor
        is_whole = line.unit_minor == line.unit_minor.to_integral_value()
        are_whole = all(each.unit_minor == each.unit_minor.to_integral_value() for each in bill.lines)
        assert abs(off) < 2, line
        assert not (is_whole and are_whole) or off == 0, line


def _fines_are_for_those_who_earned_them(tariff: pricing.Tariff, ride: meters.Ride, lines: dict[LineKind, meters.Line]) -> None:
    assert ride.ended_at is not None
    is_late = ride.fined_after is not None and ride.ended_at > ride.fined_after
    for kind, is_earned, minor in (
        (LineKind.LATE_RETURN, is_late, tariff.late_fine_minor),
        (LineKind.WRONG_PLACE, ride.left_in_wrong_place, tariff.wrong_place_fine_minor),
    ):
        assert (kind in lines) == bool(is_earned and minor)
        if kind in lines:
            assert (lines[kind].amount_minor, lines[kind].vat_treatment) == (minor, tariff.fee_vat)


def _vat_is_taken_out_once_a_rate(bill: meters.Bill) -> None:
    taxed = [line for line in bill.lines if line.vat_treatment is VatTreatment.STANDARD]
    assert sum(share.gross_minor for share in bill.vat) == sum(line.amount_minor for line in taxed)
    assert len({share.percent for share in bill.vat}) == len(bill.vat)
    for share in bill.vat:
        assert share.vat_minor == half_up(share.gross_minor - share.gross_minor / (1 + share.percent / 100))
    assert all(line.vat_percent == 0 for line in bill.lines if line.vat_treatment is VatTreatment.OUT_OF_SCOPE)


def _clocks_on_the_wall_do_not_matter(case: Case, bill: meters.Bill) -> None:
    """The same seconds by the clock of the metro, and when no clock changes."""
    wall, quiet = ZoneInfo(case.zone), timedelta(days=100)
    assert meters.bill(case.tariff, _moved(case.ride, lambda instant: instant.astimezone(wall))) == bill
    assert meters.bill(case.tariff, _moved(case.ride, lambda instant: instant + quiet)) == bill


def _moved(ride: meters.Ride, move: Callable[[datetime], datetime]) -> meters.Ride:
    return replace(
        ride,
        started_at=move(ride.started_at),
        ended_at=ride.ended_at and move(ride.ended_at),
        pauses=tuple(meters.Pause(move(one.started_at), one.ended_at and move(one.ended_at)) for one in ride.pauses),
        fined_after=ride.fined_after and move(ride.fined_after),
    )


def _ending_later_is_never_cheaper(case: Case, bill: meters.Bill) -> None:
    ride = case.ride
    assert ride.ended_at is not None
    for more in (1, MINUTE, DAY):
        later = replace(ride, ended_at=ride.ended_at + timedelta(seconds=more))
        assert meters.bill(case.tariff, later).total.minor_units >= bill.total.minor_units
