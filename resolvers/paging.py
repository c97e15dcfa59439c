"""Pages of lists that have no end, by keyset cursors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from domain import errors
from resolvers.cursors import CursorCodec

T = TypeVar("T")
MAX_PAGE = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: Sequence[T]
    cursors: Sequence[str]
    has_next: bool
    has_previous: bool


def check_first(first: int) -> int:
    if not 1 <= first <= MAX_PAGE:
        raise errors.InvalidInput.of("first", f"first lies between 1 and {MAX_PAGE}.")
    return first


def page_of(found: Sequence[T], first: int, after: str | None, codec: CursorCodec, key: Callable[[T], bytes]) -> Page[T]:
    """A page from at most `first` + 1 rows, of which the last one only tells that there are more."""
    items = found[:first]
    return Page(items, [codec.of_key(key(item)) for item in items], len(found) > first, after is not None)


def uuid_after(after: str | None, codec: CursorCodec) -> UUID | None:
    if after is None:
        return None
    key = codec.key(after)
    if len(key) != 16:
        raise errors.InvalidInput.of("after", "after is a cursor of another list.")
    return UUID(bytes=key)
