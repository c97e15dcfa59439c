"""Credit notes: which lines are given back of a receipt, never more than was charged (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from domain import errors
from domain.meters import Line
from domain.tables import ChargeCategory, LineKind

#: what fines earn is booked apart from what rides do
FINES = (LineKind.LATE_RETURN, LineKind.WRONG_PLACE)


def lines_to_give_back(
    charged: Iterable[Line],
    given_back: Iterable[Line],
    *,
    kinds: Collection[LineKind] | None = None,
    amount_minor: int | None = None,
) -> list[Line]:
    """The lines of a credit note, negative where those of the receipt are positive: of those kinds, or an amount, taken from
    the first lines first, or all that is left. Of fines that cost more than is left, what is left. Raises InvalidInput."""
    left = {line.kind: line for line in _left(charged, given_back)}
    total = sum(line.amount_minor for line in left.values())
    if kinds is not None:
        wanted = [line for kind, line in left.items() if kind in kinds]
        cost = sum(line.amount_minor for line in wanted)
        if cost > total > 0 and all(line.kind in FINES for line in wanted):  # a cap may leave less than a fine
            wanted = list(_first(wanted, total))
        # A cap alone would be charged for, not given back.
        elif not 0 < cost <= total:
            raise errors.InvalidInput.of("kinds", "These lines are not on the receipt, or were given back before.")
    elif amount_minor is None or amount_minor == total:
        wanted = list(left.values())
        if total <= 0:
            raise errors.InvalidInput.of("receiptId", "All of this receipt was given back before, or it cost nothing.")
    elif not 0 < amount_minor < total:
        raise errors.InvalidInput.of("amount", f"Between 1 and {max(total, 0)} minor units can be given back.")
    else:
        wanted = list(_first(left.values(), amount_minor))
    return [_negative(line) for line in wanted]


def _left(charged: Iterable[Line], given_back: Iterable[Line]) -> Iterator[Line]:
    back: dict[LineKind, int] = {}
    for line in given_back:
        back[line.kind] = back.get(line.kind, 0) + line.amount_minor
    for line in charged:
        minor = line.amount_minor + back.get(line.kind, 0)
        if minor:
            yield line if minor == line.amount_minor else _of_amount(line, minor)


def _first(left: Iterable[Line], amount_minor: int) -> Iterator[Line]:
    """What a cap takes off stays off until all is given back."""
    for line in left:
        minor = min(line.amount_minor, amount_minor)
        if minor > 0:
            amount_minor -= minor
            yield line if minor == line.amount_minor else _of_amount(line, minor)


def _of_amount(line: Line, minor: int) -> Line:
    return replace(line, quantity=1, unit_minor=Decimal(minor), amount_minor=minor)


def _negative(line: Line) -> Line:
    return replace(line, category=ChargeCategory.REFUND, unit_minor=-line.unit_minor, amount_minor=-line.amount_minor)
