"""Ways: all by which a subscription reaches who follows it, so that one suite holds them to the same sentences."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import orjson
import psycopg
from fastapi import FastAPI
from graphql import GraphQLError
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from app import telemetry
from app.auth import AccessTokens
from app.fanout.broadcast import Item
from app.fanout.follower import Follower
from app.fanout.operation import Asked, Operation
from app.gateways.clock import SystemClock
from app.main import create_app
from app.settings import Delivery, Settings
from app.sse import EventStreams
from domain import ids
from resolvers.context import Ctx
from tests.journeys import clients, hosting, riders
from tests.journeys.clients import Api, Socket, Stream, StreamEnded, closing, item_of, receive
from tests.journeys.event_source import MEDIA_TYPE, EventSource
from tests.live import LiveServer

UPDATES = """subscription($id: ID!, $after: String) { opsDispatchUpdates(metroId: $id, after: $after) {
  __typename ... on StreamEvent { cursor } ... on VehicleChanged { n: odometerMeters plate } } }"""
INSERT = """insert into event_log (topic, kind, version, payload)
  select %(topic)s, 'vehicle.changed', 1, jsonb_build_object('vehicleId', gen_random_uuid(), 'vehicleType', %(type)s::text,
    'plate', repeat('x', %(plate)s), 'state', 'available', 'batteryPercent', 77, 'odometerMeters', n, 'lat', 52.5, 'lon', 13.4)
  from generate_series(%(first)s::int, %(last)s::int) n"""


class Kind(Enum):
    SOCKET = "websocket"
    EVENTS = "sse"
    INSIDE = "in process"


@dataclass(frozen=True)
class Way:
    kind: Kind
    delivery: Delivery

    def __str__(self) -> str:
        return f"{self.kind.value}, {self.delivery.value if self.kind is Kind.SOCKET else self.sharing}"

    @property
    def sharing(self) -> str:
        return "private" if self.delivery is Delivery.PRIVATE else "shared"


ALL = [
    *(Way(Kind.SOCKET, one) for one in Delivery),
    *(Way(kind, one) for kind in (Kind.EVENTS, Kind.INSIDE) for one in (Delivery.DIRECT, Delivery.PRIVATE)),
]
DIRECT = Way(Kind.SOCKET, Delivery.DIRECT)


def of(*kinds: Kind) -> list[Way]:
    return [way for way in ALL if way.kind in kinds]


class Client(Protocol):
    """One connection, where the way has any."""

    async def follow(self, document: str, /, **variables: Any) -> Stream: ...

    async def cut(self) -> None:
        """As if the network were gone."""

    async def farewell(self) -> str:
        """What the server says at last."""

    async def close(self) -> None: ...


class SocketClient(Socket):
    async def cut(self) -> None:
        self.connection.transport.abort()

    async def farewell(self) -> str:
        return (await closing(self.connection))[1]


class EventsClient(EventSource):
    async def cut(self) -> None:
        await self.close()

    async def farewell(self) -> str:
        async with asyncio.timeout(clients.PATIENCE_SECONDS):
            return await self.comments.get()


@dataclass
class InsideOutlet:
    """What an operation inside the process gives its results to."""

    stream: Stream
    batch: int = 10

    async def ready(self) -> None: ...

    async def send_all(self, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            await self.send(payload)

    async def send(self, payload: bytes) -> None:
        await self.stream.waiting.put(item_of(orjson.loads(payload)))

    async def end(self, errors: Sequence[GraphQLError] | None) -> None:
        await self.stream.waiting.put(StreamEnded(None if errors is None else [error.formatted for error in errors]))

    async def cut_off(self) -> None: ...

    def enter(self, follower: Follower) -> bool:  # noqa: ARG002
        return False

    def leave(self, follower: Follower) -> list[Item]:  # noqa: ARG002
        return []


@dataclass
class InsideClient:
    """Follows without a connection, as code of this process may."""

    events: EventStreams
    tokens: AccessTokens
    token: str
    operations: list[Operation] = field(default_factory=list)

    async def follow(self, document: str, /, *, waiting: int = 0, **variables: Any) -> Stream:
        who, _ = self.tokens.actor_of(self.token)
        runtime = self.events.runtime
        ctx = Ctx(runtime, who, address="", request_id=telemetry.new_request_id())

        async def complete() -> None:
            await operation.stop()

        stream = Stream(complete, asyncio.Queue(waiting))
        operation = Operation(self.events.schema, self.events.streams, ctx, Asked(document, variables), InsideOutlet(stream))
        operation.start()
        self.operations.append(operation)
        return stream

    async def cut(self) -> None:
        await self.close()

    async def farewell(self) -> str:
        raise NotImplementedError("nothing ends it from outside")

    async def close(self) -> None:
        for operation in self.operations:
            await operation.stop()


@dataclass
class City:
    """An API of one way of delivery, a metro in it, and who watches."""

    way: Way
    app: FastAPI
    url: str
    live: LiveServer
    database: psycopg.Connection
    metro: dict[str, Any]
    stack: AsyncExitStack

    @property
    def events(self) -> EventStreams:
        found: EventStreams = self.app.state.graphql.events
        return found

    def publish(self, first: int, last: int, *, plate: int = 3, type: str = "car") -> None:
        publish(self.database, self.metro, first, last, plate=plate, type=type)

    async def client(self, token: str | None = None) -> Client:
        opened = self._opened(token or self.live.dispatcher_token)
        return await self.stack.enter_async_context(opened)

    @asynccontextmanager
    async def _opened(self, token: str) -> AsyncIterator[Client]:
        client: Client
        if self.way.kind is Kind.SOCKET:
            async with clients.opened_as(SocketClient, self.ws_url, token) as client:
                yield client
            return
        client = EventsClient(f"{self.url}/graphql", token) if self.way.kind is Kind.EVENTS else self.inside(token)
        try:
            yield client
        finally:
            await client.close()

    def inside(self, token: str) -> InsideClient:
        secret = Settings(data_dir=self.live.data_dir).secret()
        return InsideClient(self.events, AccessTokens(secret, SystemClock(), minutes=1), token)

    @property
    def ws_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}/graphql"

    async def watch(self, client: Client, after: str | None = None) -> Stream:
        return await client.follow(UPDATES, id=self.metro["id"], **({"after": after} if after else {}))

    async def watch_now(self, client: Client) -> Stream:
        """A stream without a cursor that is known to be live; events numbered 0 were for that."""
        stream = await self.watch(client)
        async with asyncio.timeout(clients.PATIENCE_SECONDS):
            while stream.waiting.empty():
                self.publish(0, 0)
                await asyncio.sleep(0.05)
        return stream

    @property
    def executions(self) -> int | None:
        """Running ones; None where they are not shared."""
        return None if self.events.streams is None else len(self.events.streams)

    @asynccontextmanager
    async def slowly(self) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        """Who follows with small buffers, has had event 1, and takes another one when asked to."""
        opened = {Kind.SOCKET: self._slow_socket, Kind.EVENTS: self._slow_events, Kind.INSIDE: self._slow_inside}
        async with opened[self.way.kind]() as take:
            self.publish(1, 1)
            assert await take() == 1
            yield take

    @asynccontextmanager
    async def _slow_socket(self) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        protocols = [Subprotocol("graphql-transport-ws")]
        raw = await small_socket(self.url)
        async with connect(self.ws_url, sock=raw, subprotocols=protocols, proxy=None, max_queue=1, close_timeout=1) as slow:
            payload = {"authorization": f"Bearer {self.live.dispatcher_token}"}
            await slow.send(json.dumps({"type": "connection_init", "payload": payload}))
            await receive(slow)
            request = {"query": UPDATES, "variables": {"id": self.metro["id"], "after": self.metro["cursor"]}}
            await slow.send(json.dumps({"id": "s", "type": "subscribe", "payload": request}))

            async def take() -> int:
                return number_of((await receive(slow))["payload"])

            yield take

    @asynccontextmanager
    async def _slow_events(self) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        reader, writer = await asyncio.open_connection(sock=await small_socket(self.url), limit=8192)
        body = orjson.dumps({"query": UPDATES, "variables": {"id": self.metro["id"], "after": self.metro["cursor"]}})
        head = f"Host: x\r\nAccept: {MEDIA_TYPE}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        token = f"Authorization: Bearer {self.live.dispatcher_token}\r\n"
        writer.write(b"POST /graphql HTTP/1.1\r\n" + (head + token).encode() + b"\r\n" + body)

        async def take() -> int:
            async with asyncio.timeout(clients.PATIENCE_SECONDS):
                while not (line := await reader.readline()).startswith(b"data: "):
                    if not line:
                        raise ConnectionResetError
            if not line.endswith(b"\n"):
                raise ConnectionResetError
            return number_of(orjson.loads(line[6:]))

        try:
            yield take
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    @asynccontextmanager
    async def _slow_inside(self) -> AsyncIterator[Callable[[], Awaitable[int]]]:
        client = self.inside(self.live.dispatcher_token)
        stream = await client.follow(UPDATES, waiting=1, id=self.metro["id"], after=self.metro["cursor"])

        async def take() -> int:
            return int((await stream.next())["n"])

        yield take
        await client.close()


def publish(
    database: psycopg.Connection, metro: dict[str, Any], first: int, last: int, *, plate: int = 3, type: str = "car"
) -> None:
    """Events numbered from `first` to `last`, in one transaction unless there is one already."""
    topic = f"dispatch:{ids.decode(metro['id'], ids.METRO)}"
    given = {"topic": topic, "first": first, "last": last, "plate": plate, "type": type}
    database.execute(INSERT.encode(), given)


def number_of(payload: dict[str, Any]) -> int:
    return int(payload["data"]["opsDispatchUpdates"]["n"])


async def small_socket(url: str) -> socket.socket:
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", int(url.rsplit(":", 1)[1])))
    return raw


@asynccontextmanager
async def served(live: LiveServer) -> AsyncIterator[dict[Delivery, tuple[FastAPI, str]]]:
    """One API for each way of delivery, on the database of a live server."""
    async with AsyncExitStack() as stack:
        found = {}
        for delivery in Delivery:
            settings = Settings(data_dir=live.data_dir, stream_delivery=delivery, database_timeout_seconds=60)
            app = create_app(settings, live.database_url, with_worker=False)
            found[delivery] = (app, await stack.enter_async_context(hosting.serving(app)))
        yield found


@asynccontextmanager
async def city_of(way: Way, apis: dict[Delivery, tuple[FastAPI, str]], live: LiveServer) -> AsyncIterator[City]:
    app, url = apis[way.delivery]
    async with AsyncExitStack() as stack:
        metro = await riders.watched_metro(Api(f"{url}/graphql", live.dispatcher_token))
        database = stack.enter_context(psycopg.connect(live.database_url, autocommit=True))
        city = City(way, app, url, live, database, metro, stack)
        yield city
    async with asyncio.timeout(clients.PATIENCE_SECONDS):
        while city.executions or city.events.running:
            await asyncio.sleep(0.01)
