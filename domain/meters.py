"""Meters: what a ride costs, line by line, from its instants and the version of its tariff (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import itemgetter

from domain import pricing, vat
from domain.pricing import Tariff
from domain.tables import ChargeCategory, LineKind, VatTreatment
from domain.values import Money

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Pause:
    started_at: datetime
    #: None: it lasts
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ride:
    started_at: datetime
    #: None: it lasts
    ended_at: datetime | None
    pauses: tuple[Pause, ...] = ()
    #: before it was unlocked: not for who walks up to it
    was_reserved: bool = False
    #: when it had to be back, grace included; who ends later is fined
    fined_after: datetime | None = None
    left_in_wrong_place: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    kind: LineKind
    category: ChargeCategory
    #: minutes, or 1
    quantity: int
    unit_minor: Decimal
    #: VAT included
    amount_minor: int
    vat_treatment: VatTreatment
    #: 0 where VAT has no say
    vat_percent: Decimal


@dataclass(frozen=True, slots=True)
class Bill:
    lines: tuple[Line, ...]
    total: Money
    vat: tuple[vat.VatShare, ...]


@dataclass(frozen=True, slots=True)
class Minutes:
    """Of one started 24 hours."""

    riding: int
    paused: int


def minutes_of(started_at: datetime, ended_at: datetime, pauses: tuple[Pause, ...] = ()) -> list[Minutes]:
    """Every started minute is billed, one at least; whole minutes of pauses are billed as such, the rest as riding. Counted
    within each started 24 hours, in elapsed time: what the clocks on the wall do costs and saves nobody anything."""
    started_at, ended_at = started_at.astimezone(UTC), ended_at.astimezone(UTC)
    billed = pricing.billed_minutes(int((ended_at - started_at).total_seconds()))
    found = []
    for day, minutes in enumerate(pricing.by_day(billed)):
        opens = started_at + day * _DAY
        paused = min(_paused(pauses, opens, min(opens + _DAY, ended_at)) // _MINUTE, minutes)
        found.append(Minutes(minutes - paused, paused))
    return found


def _paused(pauses: tuple[Pause, ...], opens: datetime, closes: datetime) -> timedelta:
    """How long between the two, both in UTC: Python subtracts and compares what is of one zone as the clocks on its walls show
    it. What overlaps counts once."""
    total, counted_to = timedelta(), opens
    for begun, over in sorted(((one.started_at.astimezone(UTC), one.ended_at) for one in pauses), key=itemgetter(0)):
        begins = max(begun, counted_to)
        ends = closes if over is None else min(over.astimezone(UTC), closes)
        if ends > begins:
            total += ends - begins
            counted_to = ends
    return total


def bill(tariff: Tariff, ride: Ride) -> Bill:
    """Of a ride that is over; one that lasts has a `running_price`."""
    if ride.ended_at is None:
        raise ValueError("A ride that lasts has no bill yet.")
    return total_of([*_fare(tariff, ride, ride.ended_at), *_fines(tariff, ride, ride.ended_at)], tariff.currency)


def running_price(tariff: Tariff, ride: Ride, now: datetime) -> Money:
    """What the ride would cost if it ended now, without fines."""
    ended_at = max(ride.started_at.astimezone(UTC), (ride.ended_at or now).astimezone(UTC))
    return Money(sum(line.amount_minor for line in _fare(tariff, ride, ended_at)), tariff.currency)


def total_of(lines: list[Line], currency: str) -> Bill:
    return Bill(tuple(lines), Money(sum(line.amount_minor for line in lines), currency), vat.shares(lines))


def fee_line(tariff: Tariff, kind: LineKind, category: ChargeCategory, amount_minor: int) -> Line:
    """A fine or a fee: the tariff says whether it is a supply."""
    return _line(tariff, kind, category, 1, Decimal(amount_minor), amount_minor, tariff.fee_vat)


def _fare(tariff: Tariff, ride: Ride, ended_at: datetime) -> Iterator[Line]:
    if tariff.unlock_minor:
        yield _fixed(tariff, LineKind.UNLOCK, tariff.unlock_minor)
    if ride.was_reserved and tariff.reservation_minor:
        yield _fixed(tariff, LineKind.RESERVATION, tariff.reservation_minor)
    yield from _time(tariff, minutes_of(ride.started_at, ended_at, ride.pauses))


def _time(tariff: Tariff, days: list[Minutes]) -> Iterator[Line]:
    """The time is rounded once, and so is each pause line. What a fraction of a minor unit leaves between the two is riding's,
    or the cap's where there is one: it is below one unit, and none where prices are whole."""
    riding, paused = sum(day.riding for day in days), sum(day.paused for day in days)
    pause_minor = vat.half_up(paused * tariff.pause_per_minute_minor)
    riding_minor = vat.half_up(riding * tariff.per_minute_minor)
    capped = sum((pricing.charge_of_day(tariff, day.riding, day.paused) for day in days), Decimal(0))
    is_capped = capped < riding * tariff.per_minute_minor + paused * tariff.pause_per_minute_minor
    time_minor = vat.half_up(capped)
    cap_minor = min(0, time_minor - riding_minor - pause_minor) if is_capped else 0
    if riding:
        amount = time_minor - pause_minor - cap_minor
        yield _fare_line(tariff, LineKind.RIDING, riding, tariff.per_minute_minor, amount)
    if paused:
        yield _fare_line(tariff, LineKind.PAUSE, paused, tariff.pause_per_minute_minor, pause_minor)
    if cap_minor:
        yield _fixed(tariff, LineKind.DAY_CAP, cap_minor)


def _fines(tariff: Tariff, ride: Ride, ended_at: datetime) -> Iterator[Line]:
    is_late = ride.fined_after is not None and ended_at.astimezone(UTC) > ride.fined_after
    if is_late and tariff.late_fine_minor:
        yield fee_line(tariff, LineKind.LATE_RETURN, ChargeCategory.FINE, tariff.late_fine_minor)
    if ride.left_in_wrong_place and tariff.wrong_place_fine_minor:
        yield fee_line(tariff, LineKind.WRONG_PLACE, ChargeCategory.FINE, tariff.wrong_place_fine_minor)


def _fixed(tariff: Tariff, kind: LineKind, amount_minor: int) -> Line:
    return _fare_line(tariff, kind, 1, Decimal(amount_minor), amount_minor)


def _fare_line(tariff: Tariff, kind: LineKind, quantity: int, unit_minor: Decimal, amount_minor: int) -> Line:
    return _line(tariff, kind, ChargeCategory.FARE, quantity, unit_minor, amount_minor, VatTreatment.STANDARD)


def _line(
    tariff: Tariff,
    kind: LineKind,
    category: ChargeCategory,
    quantity: int,
    unit_minor: Decimal,
    amount_minor: int,
    treatment: VatTreatment,
) -> Line:
    return Line(kind, category, quantity, unit_minor, amount_minor, treatment, vat.percent_of(treatment, tariff.vat_percent))
