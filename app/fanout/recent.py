"""Recent: the last events of a shared stream, kept for those who come back, so that many who do cost little more than one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from app.fanout.broadcast import Item
from domain import eventlog

#: what one stream keeps: beyond, who comes back reads the log by itself
MAX_ITEMS = 5000
MAX_BYTES = 4_194_304


class Recent:
    """All items behind `start`, without a gap, in their order."""

    def __init__(self, start: eventlog.Position) -> None:
        self.start = start
        self._items: list[Item] = []
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def append(self, item: Item) -> None:
        self._items.append(item)
        self._bytes += len(item.payload)
        if len(self._items) > MAX_ITEMS or self._bytes > MAX_BYTES:
            self._forget(max(1, len(self._items) // 4))

    def _forget(self, count: int) -> None:
        """The oldest; some at a time, since a list moves what is left."""
        gone, self._items = self._items[:count], self._items[count:]
        self._bytes -= sum(len(item.payload) for item in gone)
        self.start = _position_of(gone[-1])

    def reach_back(self, start: eventlog.Position, items: Sequence[Item]) -> None:
        """Puts what lies between `start` and the start of until now before the rest."""
        self.start = start
        self._items = [*items, *self._items]
        self._bytes += sum(len(item.payload) for item in items)

    def behind(self, position: eventlog.Position) -> list[Item] | None:
        """What follows a position; None when that begins before what is kept."""
        if position < self.start:
            return None
        return self._items[bisect_right(self._items, position, key=_position_of) :]


def fits(items: Sequence[Item], size: int) -> bool:
    return len(items) <= MAX_ITEMS // 2 and size <= MAX_BYTES // 2


def _position_of(item: Item) -> eventlog.Position:
    if item.position is None:
        raise TypeError("only events of the log are kept")
    return item.position
