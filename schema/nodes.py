"""Nodes: everything that has a global id."""

from __future__ import annotations

import strawberry
from strawberry import field


@strawberry.interface(description="Something with a global id (Relay).")
class Node:
    id: strawberry.ID = field(description="Global and opaque: a TypeID, whose prefix belongs to one type.")
