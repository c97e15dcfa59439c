"""What an execution brings is told as what it is: events, a refusal, the end, or a log that broke off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from graphql import GraphQLError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from app.fanout import results
from domain import errors, eventlog
from resolvers.context import Ctx, Runtime
from resolvers.streams import Place

START = eventlog.Position(1, 2, 3)
EVENT = ExecutionResult(data={"n": 1}, errors=None)


def context(start: eventlog.Position | None = None) -> Ctx:
    ctx = Ctx(cast("Runtime", None), None, address="", request_id="")
    ctx.place = Place()
    if start is not None:
        ctx.place.begin(start)
    return ctx


async def brought(ctx: Ctx, *items: Any) -> list[Any]:
    async def source() -> AsyncGenerator[Any, None]:
        for item in items:
            if isinstance(item, BaseException):
                raise item
            yield item

    return [item async for item in results.of(source(), ctx)]


def codes(result: Any) -> list[str]:
    assert isinstance(result, PreExecutionError)
    return [(error.extensions or {})["code"] for error in result.errors or []]


async def test_what_has_an_end_comes_to_it() -> None:
    assert await brought(context(), EVENT, EVENT) == [EVENT, EVENT]
    assert await brought(context()) == []


async def test_a_followed_log_that_ends_has_broken_off() -> None:
    assert codes((await brought(context(START)))[-1]) == ["UNAVAILABLE"]
    event, end = await brought(context(START), EVENT)
    assert event is EVENT
    assert codes(end) == ["UNAVAILABLE"]


async def test_a_replay_that_has_come_to_the_end_of_the_log_is_complete() -> None:
    ctx = context(START)
    assert ctx.place is not None
    ctx.place.is_at_end = True
    assert await brought(ctx, EVENT) == [EVENT]


async def test_an_event_that_failed_was_told_already() -> None:
    failed = ExecutionResult(data=None, errors=[GraphQLError("no", path=["n"])])
    assert await brought(context(START), EVENT, failed) == [EVENT, failed]
    assert await brought(context(START), failed) == [failed]


@pytest.mark.parametrize("kind", [ExecutionResult, PreExecutionError])
async def test_what_could_not_begin_is_refused(kind: type[ExecutionResult]) -> None:
    error = GraphQLError("no", original_error=errors.NotFound())
    (found,) = await brought(context(), kind(data=None, errors=[error]))
    assert isinstance(found, PreExecutionError)
    assert found.errors == [error]


@pytest.mark.parametrize("start", [None, START])
async def test_a_driver_that_gives_up_breaks_the_stream_off(start: eventlog.Position | None) -> None:
    event, end = await brought(context(start), EVENT, asyncio.CancelledError())
    assert event is EVENT
    assert codes(end) == ["UNAVAILABLE"]


async def test_who_is_told_to_end_ends() -> None:
    async def source() -> AsyncGenerator[Any, None]:
        yield EVENT
        await asyncio.Event().wait()

    found: list[Any] = []

    async def take() -> None:
        async for item in results.of(source(), context(START)):
            found.append(item)

    task = asyncio.create_task(take())
    while not found:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert found == [EVENT]
