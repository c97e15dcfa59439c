"""Fan-out: whether a subscription runs for itself or with others, and however it is written, its client sees the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from fastapi import FastAPI
from websockets.exceptions import ConnectionClosedError

from app import wire
from app.auth import AccessTokens
from app.settings import Delivery, Settings
from domain import ids
from domain.actor import Actor, Audience, Role
from tests.app import ways
from tests.app.ways import City, Kind
from tests.journeys import clients, hosting
from tests.journeys.clients import Stream, StreamEnded
from tests.live import LiveServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def numbers(stream: Stream, last: int) -> list[int]:
    found: list[int] = []
    while not found or found[-1] != last:
        if (n := (await stream.next())["n"]) != 0:
            found.append(n)
    return found


async def nothing_comes(stream: Stream, seconds: float = 0.3) -> None:
    await asyncio.sleep(seconds)
    waiting = [stream.waiting.get_nowait() for _ in range(stream.waiting.qsize())]
    assert [one for one in waiting if isinstance(one, Exception) or one["n"] != 0] == []


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


async def test_everybody_sees_everything_in_one_order(city: City) -> None:
    first, second = await city.client(), await city.client()
    streams = [await city.watch(one, city.metro["cursor"]) for one in (first, first, second)]
    for n in range(1, 21):
        city.publish(n, n)
    for stream in streams:
        assert await numbers(stream, 20) == list(range(1, 21))
    assert len({stream.cursor for stream in streams}) == 1
    assert city.executions in (1, None)


async def test_who_comes_late_sees_what_is_new(city: City) -> None:
    first = await city.watch_now(await city.client())
    city.publish(1, 5)
    assert await numbers(first, 5) == [1, 2, 3, 4, 5]
    late = await city.watch_now(await city.client())
    city.publish(6, 8)
    assert await numbers(late, 8) == [6, 7, 8]
    assert await numbers(first, 8) == [6, 7, 8]


async def test_who_resumes_misses_and_repeats_nothing(city: City) -> None:
    start = city.metro["cursor"]
    first = await city.watch(await city.client(), start)
    city.publish(1, 700)
    assert await numbers(first, 700) == list(range(1, 701))

    async def go_on() -> None:
        for n in range(701, 741):
            city.publish(n, n)
            await asyncio.sleep(0.005)

    going = asyncio.create_task(go_on())
    resumed = [await city.watch(await city.client(), start) for _ in range(5)]
    middle = [await city.watch(await city.client(), first.seen[349]["cursor"]) for _ in range(3)]
    await going
    for stream in resumed:
        assert await numbers(stream, 740) == list(range(1, 741))
    for stream in middle:
        assert await numbers(stream, 740) == list(range(351, 741))
    assert await numbers(first, 740) == list(range(701, 741))


async def test_a_cursor_from_ahead_of_the_stream_repeats_nothing(city: City) -> None:
    ahead = await city.watch(await city.client(), city.metro["cursor"])
    city.publish(1, 3)
    assert await numbers(ahead, 3) == [1, 2, 3]
    other = await city.watch(await city.client(), ahead.cursor)
    city.publish(4, 5)
    assert await numbers(other, 5) == [4, 5]


async def test_an_error_ends_each_operation_and_nothing_else(city: City) -> None:
    client = await city.client()
    good = await city.watch_now(client)
    for _ in range(2):
        refused = [await client.follow(ways.UPDATES, id="metro_00000000000000000000000000") for _ in range(3)]
        for stream in refused:
            with pytest.raises(StreamEnded) as ended:
                await stream.next()
            assert ended.value.args[0][0]["extensions"]["code"] == "NOT_FOUND"
    bad_cursor = await city.watch(client, "garbage")
    with pytest.raises(StreamEnded) as ended:
        await bad_cursor.next()
    assert ended.value.args[0][0]["extensions"]["code"] == "BAD_USER_INPUT"
    city.publish(1, 2)
    assert await numbers(good, 2) == [1, 2]
    assert city.executions in (1, None)


async def test_an_event_that_cannot_be_shown_ends_the_stream_for_all(city: City) -> None:
    streams = [await city.watch_now(await city.client()) for _ in range(3)]
    city.publish(1, 1)
    city.publish(2, 2, type="none that we know")
    for stream in streams:
        assert await numbers(stream, 1) == [1]
        with pytest.raises(StreamEnded) as ended:
            await stream.next()
        assert ended.value.args[0][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
        with pytest.raises(StreamEnded) as ended:
            await stream.next()
        assert ended.value.args == (None,)
    assert not city.executions
    anew = await city.watch_now(await city.client())
    city.publish(3, 3)
    assert await numbers(anew, 3) == [3]


async def test_complete_takes_effect_before_the_next_event(city: City) -> None:
    one, two = await city.client(), await city.client()
    left, right, other = await city.watch_now(one), await city.watch_now(one), await city.watch_now(two)
    await left.complete()
    assert (await (await one.follow("{ __typename }")).next())["value"] == "Query"
    city.publish(1, 3)
    for stream in (right, other):
        assert await numbers(stream, 3) == [1, 2, 3]
    await nothing_comes(left)


async def test_the_last_to_leave_ends_the_execution_and_the_next_begins_anew(city: City) -> None:
    for _ in range(2):
        client = await city.client()
        streams = [await city.watch_now(client) for _ in range(2)]
        dropped = await city.client()
        await city.watch_now(dropped)
        city.publish(1, 2)
        for stream in streams:
            assert await numbers(stream, 2) == [1, 2]
            await stream.complete()
        await dropped.cut()
        async with asyncio.timeout(clients.PATIENCE_SECONDS):
            while city.executions:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("city", ways.of(Kind.SOCKET, Kind.EVENTS), ids=str, indirect=True)
async def test_a_token_that_runs_out_ends_its_own_connection(city: City) -> None:
    other = await city.watch_now(await city.client())
    metro_id = ids.decode(city.metro["id"], ids.METRO)
    secret = Settings(data_dir=city.live.data_dir).secret()
    who = Actor(Audience.OPS, UUID(int=7), Role.DISPATCHER, uuid4(), frozenset({metro_id}))
    token, _ = AccessTokens(secret, hosting.ShiftedClock(1.5 - 60), minutes=1).access_token(who)
    client = await city.client(token)
    await city.watch_now(client)
    assert (await client.farewell()).lower() == "access token expired"
    city.publish(1, 2)
    assert await numbers(other, 2) == [1, 2]


async def test_who_may_see_other_things_shares_nothing(city: City) -> None:
    mine = await city.watch_now(await city.client())
    secret = Settings(data_dir=city.live.data_dir).secret()
    who = Actor(Audience.OPS, UUID(int=7), Role.DISPATCHER, uuid4(), frozenset({uuid4()}))
    token, _ = AccessTokens(secret, hosting.ShiftedClock(0), minutes=1).access_token(who)
    refused = await city.watch(await city.client(token))
    with pytest.raises(StreamEnded) as ended:
        await refused.next()
    assert ended.value.args[0][0]["extensions"]["code"] == "NOT_FOUND"
    city.publish(1, 1)
    assert await numbers(mine, 1) == [1]


async def take_all(take: Callable[[], Awaitable[int]]) -> None:
    while True:
        await take()


@pytest.mark.parametrize("city", [ways.DIRECT, *ways.of(Kind.EVENTS)], ids=str, indirect=True)
async def test_who_takes_nothing_is_cut_off(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STALL_SECONDS", 0.5)
    healthy = await city.watch(await city.client(), city.metro["cursor"])
    async with city.slowly() as take:
        for first in range(2, 1002, 500):
            city.publish(first, first + 499, plate=2000)
        assert await numbers(healthy, 1001) == list(range(1, 1002))
        await asyncio.sleep(1)
        with pytest.raises((ConnectionClosedError, ConnectionResetError)):
            await take_all(take)
    city.publish(1002, 1002)
    assert await numbers(healthy, 1002) == [1002]


async def test_a_slow_reader_delays_nobody_and_misses_nothing(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STALL_SECONDS", 60)  # it takes nothing while the others take everything
    healthy = await city.watch(await city.client(), city.metro["cursor"])
    async with city.slowly() as take:
        for first in range(2, 1502, 500):
            city.publish(first, first + 499, plate=4000)
        assert await numbers(healthy, 1501) == list(range(1, 1502))
        assert [await take() for _ in range(1500)] == list(range(2, 1502))
        city.publish(1502, 1502)
        assert await take() == 1502
