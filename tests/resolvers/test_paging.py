"""Pages follow each other without gap or repeat."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import errors, ids
from resolvers import paging
from resolvers.cursors import CursorCodec

CODEC = CursorCodec(b"k" * 32)


@given(st.integers(0, 30), st.integers(1, 10))
def test_walking_through_pages_shows_every_item_once(count: int, first: int) -> None:
    rows = sorted(ids.new() for _ in range(count))
    seen: list[UUID] = []
    after, pages = None, 0
    while True:
        behind = paging.uuid_after(after, CODEC)
        found = [row for row in rows if behind is None or row > behind][: first + 1]
        page = paging.page_of(found, first, after, CODEC, lambda row: row.bytes)
        seen += page.items
        pages += 1
        assert len(page.items) == len(page.cursors) <= first
        assert page.has_previous == (pages > 1)
        if not page.has_next:
            break
        after = page.cursors[-1]
    assert seen == rows
    assert pages == max(1, -(-count // first))


@pytest.mark.parametrize("first", [0, -1, 101, 2**31])
def test_a_page_has_one_to_a_hundred_items(first: int) -> None:
    with pytest.raises(errors.InvalidInput):
        paging.check_first(first)


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(errors.InvalidInput):
        paging.uuid_after(CODEC.of_key(b"short"), CODEC)
