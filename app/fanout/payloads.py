"""Payloads: the result of one event as the bytes that every follower gets."""

from __future__ import annotations

from typing import Any

import orjson
from strawberry.types.execution import ExecutionResult


def payload_of(result: Any) -> bytes:
    """What the library would send as the payload of `next`, key for key."""
    if not isinstance(result, ExecutionResult):
        raise TypeError("a shared stream carries whole results only")
    payload: dict[str, Any] = {"data": result.data}
    if result.errors:
        payload["errors"] = [error.formatted for error in result.errors]
    if result.extensions:
        payload["extensions"] = result.extensions
    return orjson.dumps(payload)
