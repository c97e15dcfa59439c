"""Fields: resolvers of types, published with a description; typed, which Strawberry's own decorator is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import strawberry

F = TypeVar("F", bound=Callable[..., Any])


def resolved(description: str) -> Callable[[F], F]:
    """Publishes a method as a field."""
    return cast("Callable[[F], F]", strawberry.field(description=description))
