"""Recent: whoever asks gets all that followed a position, or is told that it is not known any more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fanout import recent
from app.fanout.broadcast import Item
from app.fanout.recent import Recent
from domain.eventlog import Position


def at(n: int) -> Position:
    return Position(1, n, 0)


def item(n: int, size: int = 1) -> Item:
    return Item(at(n - 1), at(n), b"x" * size)


def numbers(items: list[Item] | None) -> list[int] | None:
    return None if items is None else [one.position.xid for one in items if one.position is not None]


@given(st.integers(0, 20), st.integers(0, 30), st.integers(-5, 60))
def test_what_follows_a_position_is_whole_or_not_known(reached: int, count: int, wanted: int) -> None:
    kept = Recent(at(20))
    for n in range(21, 21 + count):
        kept.append(item(n))
    kept.reach_back(at(reached), [item(n) for n in range(reached + 1, 21)])
    expected = list(range(max(wanted, reached) + 1, 21 + count)) if wanted >= reached else None
    assert numbers(kept.behind(at(wanted))) == expected


@pytest.mark.parametrize(("limit", "size"), [("MAX_ITEMS", 1), ("MAX_BYTES", 10)])
def test_it_keeps_so_much_and_knows_what_it_has_forgotten(monkeypatch: pytest.MonkeyPatch, limit: str, size: int) -> None:
    monkeypatch.setattr(recent, limit, 100)
    kept = Recent(at(0))
    for n in range(1, 1001):
        kept.append(item(n, size))
        assert len(kept) * size <= 100
        assert numbers(kept.behind(kept.start)) == list(range(kept.start.xid + 1, n + 1))
    assert kept.behind(at(kept.start.xid - 1)) is None
