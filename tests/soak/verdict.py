"""The verdict: what one subscriber got, held against what the table has."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass
class Verdict:
    """Numbers of events, of one subscriber or of many."""

    #: in the table and passed over, and nobody said so
    lost: int = 0
    #: in the table, behind the last that was delivered
    behind: int = 0
    repeated: int = 0
    out_of_order: int = 0
    #: delivered, and not in the table
    unknown: int = 0
    #: never delivered, but behind a `ResyncRequired`
    skipped: int = 0
    #: `ResyncRequired` that were delivered
    announced: int = 0

    def add(self, other: Verdict) -> None:
        for name, value in asdict(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.behind or self.repeated or self.out_of_order or self.unknown)


class Table:
    """The numbers of the log in its order, each once."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = array("I", numbers)
        self._places = {n: place for place, n in enumerate(numbers)}
        assert len(self._places) == len(numbers), "a number was published twice: the sequences cannot be compared"

    def judge(self, seen: array[int], announcements: Sequence[int] = ()) -> Verdict:
        """`announcements`: how many numbers had been seen at each `ResyncRequired`."""
        found = Verdict(announced=len(announcements))
        if seen == self.numbers and not announcements:
            return found
        told, known, missing, last = set(announcements), set[int](), set[int](), -1
        for index, n in enumerate([*seen, None]):
            place = len(self.numbers) if n is None else self._places.get(n)
            if place is None:
                found.unknown += 1
            elif place > last:
                if index in told:
                    found.skipped += place - last - 1
                elif n is None:
                    found.behind = place - last - 1
                else:
                    missing.update(range(last + 1, place))
                last = place
            elif n in known:
                found.repeated += 1
            else:
                found.out_of_order += 1
                missing.discard(place)
            if n is not None:
                known.add(n)
        found.lost = len(missing)
        return found
