"""Connections: pages of lists that have no end (Relay)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

import strawberry
from strawberry import field
from strawberry.relay import PageInfo

from resolvers.paging import Page

T = TypeVar("T")
R = TypeVar("R")
First = Annotated[int, strawberry.argument(description="How many, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="`endCursor` of the page before.")]


@strawberry.type(description="An item of a page and where it stands in the list.")
class Edge(Generic[T]):
    cursor: str = field(description="For `after`.")
    node: T = field(description="The item.")


@strawberry.type(description="A page of a list, by keyset: what is added meanwhile neither repeats nor hides items.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = field(description="Items with their cursors, 100 at most.")
    nodes: list[T] = field(description="The same items without cursors.")
    page_info: PageInfo = field(description="Whether there is more.")


def connection(page: Page[R], of: Callable[[R], T]) -> Connection[T]:
    nodes = [of(item) for item in page.items]
    return Connection(
        edges=[Edge(cursor=cursor, node=node) for cursor, node in zip(page.cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=page.has_previous,
            start_cursor=page.cursors[0] if page.cursors else None,
            end_cursor=page.cursors[-1] if page.cursors else None,
        ),
    )
