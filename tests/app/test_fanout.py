"""Fan-out: whether a subscription runs for itself or with others, and however it is written, its client sees the same."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi import FastAPI
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError
from websockets.typing import Subprotocol

from app.auth import AccessTokens
from app.fanout import protocol
from app.main import create_app
from app.settings import Delivery, Settings
from domain import ids
from domain.actor import Actor, Audience, Role
from tests.journeys import clients, hosting, riders
from tests.journeys.clients import Api, Socket, Stream, StreamEnded, closing, receive
from tests.live import LiveServer

UPDATES = """subscription($id: ID!, $after: String) { opsDispatchUpdates(metroId: $id, after: $after) {
  __typename ... on StreamEvent { cursor } ... on VehicleChanged { n: odometerMeters plate } } }"""
INSERT = """insert into event_log (topic, kind, version, payload)
  select %(topic)s, 'vehicle.changed', 1, jsonb_build_object('vehicleId', gen_random_uuid(), 'vehicleType', %(type)s::text,
    'plate', repeat('x', %(plate)s), 'state', 'available', 'batteryPercent', 77, 'odometerMeters', n, 'lat', 52.5, 'lon', 13.4)
  from generate_series(%(first)s::int, %(last)s::int) n"""


@dataclass
class City:
    """An API of one way of delivery, a metro in it, and who watches."""

    app: FastAPI
    live: LiveServer
    ws_url: str
    metro: dict[str, Any]
    stack: AsyncExitStack

    def publish(self, first: int, last: int, *, plate: int = 3, type: str = "car") -> None:
        topic = f"dispatch:{ids.decode(self.metro['id'], ids.METRO)}"
        with psycopg.connect(self.live.database_url) as connection:
            given = {"topic": topic, "first": first, "last": last, "plate": plate, "type": type}
            connection.execute(INSERT.encode(), given)

    async def socket(self, token: str | None = None) -> Socket:
        opened = clients.opened(self.ws_url, token or self.live.dispatcher_token)
        return await self.stack.enter_async_context(opened)

    async def watch(self, socket: Socket, after: str | None = None) -> Stream:
        return await socket.follow(UPDATES, id=self.metro["id"], **({"after": after} if after else {}))

    async def watch_now(self, socket: Socket) -> Stream:
        """A stream without a cursor that is known to be live; events numbered 0 were for that."""
        stream = await self.watch(socket)
        async with asyncio.timeout(clients.PATIENCE_SECONDS):
            while stream.waiting.empty():
                self.publish(0, 0)
                await asyncio.sleep(0.05)
        return stream

    @property
    def executions(self) -> int | None:
        """Running ones; None where they are not shared."""
        streams = self.app.state.sockets.streams
        return None if streams is None else len(streams)


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


@pytest.fixture(params=list(Delivery))
async def city(request: pytest.FixtureRequest, live_server: LiveServer) -> AsyncIterator[City]:
    settings = Settings(data_dir=live_server.data_dir, stream_delivery=request.param)
    app = create_app(settings, live_server.database_url, with_worker=False)
    async with hosting.serving(app) as url, AsyncExitStack() as stack:
        metro = await riders.watched_metro(Api(f"{url}/graphql", live_server.dispatcher_token))
        yield City(app, live_server, f"ws{url.removeprefix('http')}/graphql", metro, stack)


async def test_everybody_sees_everything_in_one_order(city: City) -> None:
    first, second = await city.socket(), await city.socket()
    streams = [await city.watch(one, city.metro["cursor"]) for one in (first, first, second)]
    for n in range(1, 21):
        city.publish(n, n)
    for stream in streams:
        assert await numbers(stream, 20) == list(range(1, 21))
    assert len({stream.cursor for stream in streams}) == 1
    assert city.executions in (1, None)


async def test_who_comes_late_sees_what_is_new(city: City) -> None:
    first = await city.watch_now(await city.socket())
    city.publish(1, 5)
    assert await numbers(first, 5) == [1, 2, 3, 4, 5]
    late = await city.watch_now(await city.socket())
    city.publish(6, 8)
    assert await numbers(late, 8) == [6, 7, 8]
    assert await numbers(first, 8) == [6, 7, 8]


async def test_who_resumes_misses_and_repeats_nothing(city: City) -> None:
    start = city.metro["cursor"]
    first = await city.watch(await city.socket(), start)
    city.publish(1, 700)
    assert await numbers(first, 700) == list(range(1, 701))

    async def go_on() -> None:
        for n in range(701, 741):
            city.publish(n, n)
            await asyncio.sleep(0.005)

    going = asyncio.create_task(go_on())
    resumed = [await city.watch(await city.socket(), start) for _ in range(5)]
    middle = [await city.watch(await city.socket(), first.seen[349]["cursor"]) for _ in range(3)]
    await going
    for stream in resumed:
        assert await numbers(stream, 740) == list(range(1, 741))
    for stream in middle:
        assert await numbers(stream, 740) == list(range(351, 741))
    assert await numbers(first, 740) == list(range(701, 741))


async def test_a_cursor_from_ahead_of_the_stream_repeats_nothing(city: City) -> None:
    ahead = await city.watch(await city.socket(), city.metro["cursor"])
    city.publish(1, 3)
    assert await numbers(ahead, 3) == [1, 2, 3]
    other = await city.watch(await city.socket(), ahead.cursor)
    city.publish(4, 5)
    assert await numbers(other, 5) == [4, 5]


async def test_an_error_ends_each_operation_and_nothing_else(city: City) -> None:
    socket = await city.socket()
    good = await city.watch_now(socket)
    for _ in range(2):
        refused = [await socket.follow(UPDATES, id="metro_00000000000000000000000000") for _ in range(3)]
        for stream in refused:
            with pytest.raises(StreamEnded) as ended:
                await stream.next()
            assert ended.value.args[0][0]["extensions"]["code"] == "NOT_FOUND"
    bad_cursor = await city.watch(socket, "garbage")
    with pytest.raises(StreamEnded) as ended:
        await bad_cursor.next()
    assert ended.value.args[0][0]["extensions"]["code"] == "BAD_USER_INPUT"
    city.publish(1, 2)
    assert await numbers(good, 2) == [1, 2]
    assert city.executions in (1, None)


async def test_an_event_that_cannot_be_shown_ends_the_stream_for_all(city: City) -> None:
    streams = [await city.watch_now(await city.socket()) for _ in range(3)]
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
    anew = await city.watch_now(await city.socket())
    city.publish(3, 3)
    assert await numbers(anew, 3) == [3]


async def test_complete_takes_effect_before_the_next_event(city: City) -> None:
    one, two = await city.socket(), await city.socket()
    left, right, other = await city.watch_now(one), await city.watch_now(one), await city.watch_now(two)
    await left.complete()
    assert (await (await one.follow("{ __typename }")).next())["value"] == "Query"
    city.publish(1, 3)
    for stream in (right, other):
        assert await numbers(stream, 3) == [1, 2, 3]
    await nothing_comes(left)


async def test_the_last_to_leave_ends_the_execution_and_the_next_begins_anew(city: City) -> None:
    for _ in range(2):
        socket = await city.socket()
        streams = [await city.watch_now(socket) for _ in range(2)]
        dropped = await city.socket()
        await city.watch_now(dropped)
        city.publish(1, 2)
        for stream in streams:
            assert await numbers(stream, 2) == [1, 2]
            await stream.complete()
        dropped.connection.transport.abort()
        async with asyncio.timeout(clients.PATIENCE_SECONDS):
            while city.executions:
                await asyncio.sleep(0.01)


async def test_a_token_that_runs_out_ends_its_own_socket(city: City) -> None:
    other = await city.watch_now(await city.socket())
    metro_id = ids.decode(city.metro["id"], ids.METRO)
    secret = Settings(data_dir=city.live.data_dir).secret()
    who = Actor(Audience.OPS, UUID(int=7), Role.DISPATCHER, uuid4(), frozenset({metro_id}))
    token, _ = AccessTokens(secret, hosting.ShiftedClock(2 - 60), minutes=1).access_token(who)
    socket = await city.socket(token)
    await city.watch_now(socket)
    assert await closing(socket.connection) == (4403, "Access token expired")
    city.publish(1, 2)
    assert await numbers(other, 2) == [1, 2]


async def test_who_may_see_other_things_shares_nothing(city: City) -> None:
    mine = await city.watch_now(await city.socket())
    secret = Settings(data_dir=city.live.data_dir).secret()
    who = Actor(Audience.OPS, UUID(int=7), Role.DISPATCHER, uuid4(), frozenset({uuid4()}))
    token, _ = AccessTokens(secret, hosting.ShiftedClock(0), minutes=1).access_token(who)
    refused = await city.watch(await city.socket(token))
    with pytest.raises(StreamEnded) as ended:
        await refused.next()
    assert ended.value.args[0][0]["extensions"]["code"] == "NOT_FOUND"
    city.publish(1, 1)
    assert await numbers(mine, 1) == [1]


async def receive_all(connection: ClientConnection) -> None:
    while True:
        await receive(connection)


@asynccontextmanager
async def slowly(city: City) -> AsyncIterator[ClientConnection]:
    """A socket with small buffers that follows, has had event 1, and reads when asked to."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    port = int(city.ws_url.rsplit(":", 1)[1].split("/")[0])
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
    protocols = [Subprotocol("graphql-transport-ws")]
    async with connect(city.ws_url, sock=raw, subprotocols=protocols, proxy=None, max_queue=1, close_timeout=1) as slow:
        payload = {"authorization": f"Bearer {city.live.dispatcher_token}"}
        await slow.send(json.dumps({"type": "connection_init", "payload": payload}))
        await receive(slow)
        variables = {"id": city.metro["id"], "after": city.metro["cursor"]}
        await slow.send(json.dumps({"id": "s", "type": "subscribe", "payload": {"query": UPDATES, "variables": variables}}))
        city.publish(1, 1)
        assert (await receive(slow))["payload"]["data"]["opsDispatchUpdates"]["n"] == 1
        yield slow


@pytest.mark.parametrize("city", [Delivery.DIRECT], indirect=True)
async def test_who_takes_nothing_is_cut_off(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "STALL_SECONDS", 0.5)
    healthy = await city.watch(await city.socket(), city.metro["cursor"])
    async with slowly(city) as stuck:
        for first in range(2, 1002, 500):
            city.publish(first, first + 499, plate=2000)
        assert await numbers(healthy, 1001) == list(range(1, 1002))
        await asyncio.sleep(1)
        with pytest.raises(ConnectionClosedError):
            await receive_all(stuck)
    city.publish(1002, 1002)
    assert await numbers(healthy, 1002) == [1002]


async def test_a_slow_reader_delays_nobody_and_misses_nothing(city: City) -> None:
    healthy = await city.watch(await city.socket(), city.metro["cursor"])
    async with slowly(city) as slow:
        for first in range(2, 3002, 500):
            city.publish(first, first + 499, plate=2000)
        assert await numbers(healthy, 3001) == list(range(1, 3002))
        seen = [(await receive(slow))["payload"]["data"]["opsDispatchUpdates"]["n"] for _ in range(3000)]
        assert seen == list(range(2, 3002))
        city.publish(3002, 3002)
        assert (await receive(slow))["payload"]["data"]["opsDispatchUpdates"]["n"] == 3002
