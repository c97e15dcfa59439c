"""Results: what an execution brings, with the two ends told apart that the library takes for an event or for nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from graphql import GraphQLError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from domain import errors
from resolvers.context import Ctx
from schema import masking

logger = logging.getLogger(__name__)

_MESSAGE = "The stream broke off. Resume with the last cursor."


async def of(source: Any, ctx: Ctx) -> AsyncGenerator[Any, None]:
    """Every result of an execution. A PreExecutionError is the last one: it could not begin, which the library calls an
    event where the field is a generator; or it broke off: a topic of the log has no end, nothing but a fault is behind it.
    """
    is_first, is_failed = True, False
    try:
        async with aclosing(source):
            async for result in source:
                if is_first and _is_refusal(result):
                    yield PreExecutionError(data=None, errors=result.errors)
                    return
                is_first, is_failed = False, bool(result.errors)
                yield result
        if is_failed or not _is_endless(ctx):
            return
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # A driver gave up: nobody asked this to end.
    logger.warning("stream broke off", extra={"request_id": ctx.request_id})
    yield PreExecutionError(data=None, errors=[broken_off(ctx.request_id)])


def broken_off(request_id: str) -> GraphQLError:
    return masking.present(GraphQLError(_MESSAGE, original_error=errors.OutOfReach(_MESSAGE)), request_id)


def _is_refusal(result: Any) -> bool:
    """Errors of fields have a path; those of the generator behind the field have none, and come before its first event."""
    if isinstance(result, PreExecutionError):
        return True
    if not isinstance(result, ExecutionResult) or result.data is not None or not result.errors:
        return False
    return all(error.path is None for error in result.errors)


def _is_endless(ctx: Ctx) -> bool:
    """Whether it followed the log, and not only up to its end."""
    return ctx.place is not None and ctx.place.start is not None and not ctx.place.is_at_end
