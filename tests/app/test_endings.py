"""Endings: a stream of the log is complete for nobody but a client that says so; all else is an error to come back from."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from fastapi import FastAPI

from app.settings import Delivery
from domain import eventlog
from resolvers.streams import Feed, Place
from tests.app import ways
from tests.app.ways import City, Kind
from tests.journeys.clients import Stream, StreamEnded
from tests.live import LiveServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

NO_METRO = "metro_00000000000000000000000000"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def apis(live_server: LiveServer) -> AsyncIterator[dict[Delivery, tuple[FastAPI, str]]]:
    async with ways.served(live_server) as found:
        yield found


@pytest_asyncio.fixture(params=ways.ALL, ids=str, loop_scope="module")
async def city(
    request: pytest.FixtureRequest, apis: dict[Delivery, tuple[FastAPI, str]], live_server: LiveServer
) -> AsyncIterator[City]:
    async with ways.city_of(request.param, apis, live_server) as found:
        yield found


async def end_of(stream: Stream) -> str:
    """The code of the error that it ends with."""
    with pytest.raises(StreamEnded) as ended:
        await stream.next()
    assert ended.value.args[0] is not None, "it was complete"
    return str(ended.value.args[0][0]["extensions"]["code"])


@pytest.mark.parametrize("resumes", [False, True])
async def test_who_cannot_begin_is_told_why(city: City, resumes: bool) -> None:
    client = await city.client()
    after = {"after": city.metro["cursor"]} if resumes else {}
    streams = [await client.follow(ways.UPDATES, id=NO_METRO, **after) for _ in range(3)]
    assert [await end_of(stream) for stream in streams] == ["NOT_FOUND"] * 3
    if city.way.kind is Kind.SOCKET:  # an `error` is the last message, not a `next` before `complete`
        assert await end_of(await client.follow("subscription {")) == "GRAPHQL_PARSE_FAILED"
        assert all(stream.waiting.empty() for stream in streams)


@pytest.mark.parametrize("resumes", [False, True])
async def test_a_log_that_breaks_off_is_an_error_to_come_back_from(
    city: City, monkeypatch: pytest.MonkeyPatch, resumes: bool
) -> None:
    async def broken(_: Feed, __: str, after: eventlog.Position | None, place: Place) -> AsyncGenerator[Any, None]:
        place.begin(after or eventlog.Position(1, 1, 1))
        return
        yield

    after = city.metro["cursor"] if resumes else None
    client = await city.client()
    with monkeypatch.context() as patch:
        patch.setattr(Feed, "_follow", broken)
        streams = [await city.watch(client, after) for _ in range(3)]
        assert [await end_of(stream) for stream in streams] == ["UNAVAILABLE"] * 3
    again = await city.watch(client, city.metro["cursor"])
    city.publish(1, 1)
    assert (await again.next())["n"] == 1
