"""Server-sent events: graphql-sse to the letter, resumed by Last-Event-ID, and gone when their peer or their time is."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import httpx
import psutil
import psycopg
import pytest
import pytest_asyncio
from fastapi import FastAPI

from app import probe, sse, wire
from app.main import create_app
from app.settings import Delivery, Settings
from tests.app import ways
from tests.app.ways import City, Kind, Way
from tests.journeys import clients, documents, hosting, riders, waiting
from tests.journeys.clients import Api, Stream, StreamEnded
from tests.journeys.event_source import EventSource, ResponseEnded, Sent, blocks
from tests.live import Launcher, LiveServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
EVENTS = "text/event-stream"
FRONT_END = "https://app.example"
COUNT = "subscription($to: Int!) { count(to: $to) }"
BY = [Way(Kind.EVENTS, Delivery.DIRECT), Way(Kind.EVENTS, Delivery.PRIVATE)]


@dataclass
class Served:
    """An API with a probe."""

    app: FastAPI
    url: str
    live: LiveServer

    @property
    def probe(self) -> EventSource:
        return EventSource(f"{self.url}{probe.PATH}")

    @property
    def staff(self) -> EventSource:
        return EventSource(f"{self.url}/graphql", self.live.dispatcher_token)

    @property
    def rider(self) -> EventSource:
        return EventSource(f"{self.url}/graphql", self.live.rider_token)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(live_server: LiveServer) -> AsyncIterator[Served]:
    settings = Settings(data_dir=live_server.data_dir, cors_origins=[FRONT_END])
    app = create_app(settings, live_server.database_url, with_worker=False, with_probe=True)
    async with hosting.serving(app) as url:
        yield Served(app, url, live_server)


@pytest_asyncio.fixture(params=BY, ids=str, loop_scope="module")
async def city(request: pytest.FixtureRequest, served: Served, live_server: LiveServer) -> AsyncIterator[City]:
    """Shared on the API with a probe, private on one of its own."""
    async with AsyncExitStack() as stack:
        app, url = served.app, served.url
        if request.param.sharing == "private":
            settings = Settings(data_dir=live_server.data_dir, stream_delivery=Delivery.PRIVATE)
            app = create_app(settings, live_server.database_url, with_worker=False)
            url = await stack.enter_async_context(hosting.serving(app))
        apis = {request.param.delivery: (app, url)}
        yield await stack.enter_async_context(ways.city_of(request.param, apis, live_server))


async def text_of(source: EventSource, document: str, method: str = "POST", **variables: Any) -> tuple[httpx.Response, str]:
    async with source.opened(document, variables, method=method) as response:
        return response, (await response.aread()).decode()


async def told(source: EventSource, document: str, last_event_id: str | None = None, **variables: Any) -> list[Sent]:
    """All of it but pings."""
    async with source.opened(document, variables, last_event_id=last_event_id) as response:
        assert (response.status_code, response.headers["content-type"]) == (200, f"{EVENTS}; charset=utf-8")
        return [sent async for sent in blocks(response) if sent.comment is None]


def code_of(sent: Sent) -> str:
    (error,) = sent.payload["errors"]
    assert "data" not in sent.payload
    code: str = error["extensions"]["code"]
    return code


async def until_none_runs(source: EventSource) -> None:
    async with asyncio.timeout(clients.PATIENCE_SECONDS):
        while (await told(source, "{ activeGenerators }"))[0].payload != {"data": {"activeGenerators": 0}}:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_an_operation_is_told_event_by_event_and_completes(served: Served, method: str) -> None:
    response, text = await text_of(served.probe, COUNT, method, to=2)
    assert text == (
        ':\n\nevent: next\ndata: {"data":{"count":0}}\n\nevent: next\ndata: {"data":{"count":1}}\n\nevent: complete\ndata:\n\n'
    )
    wanted = {"content-type": f"{EVENTS}; charset=utf-8", "cache-control": "no-cache", "x-accel-buffering": "no"}
    assert wanted.items() <= dict(response.headers).items()
    assert "content-encoding" not in response.headers
    for _ in range(2):
        async with httpx.AsyncClient(trust_env=False, headers={**served.probe.headers(), "X-Request-ID": "mine"}) as http:
            again = await http.get(served.probe.url, params={"query": "{ hello }"})
        assert again.headers.get_list("x-request-id") == ["mine"]
        assert again.headers.get_list("vary") == ["Origin"]


async def test_a_query_and_a_mutation_are_one_event(served: Served) -> None:
    _, text = await text_of(served.probe, "{ hello }")
    assert text == ':\n\nevent: next\ndata: {"data":{"hello":"hello"}}\n\nevent: complete\ndata:\n\n'
    (_, last), (first, end) = [await told(served.probe, "mutation { bump }") for _ in range(2)]
    assert (first.payload["data"]["bump"] > 0, end.event, last.data) == (True, "complete", "")
    failed, _ = await told(served.probe, "{ hello broken }")
    assert failed.payload["data"] == {"hello": "hello", "broken": None}
    assert failed.payload["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { hello } query B { hello }", "OPERATION_RESOLUTION_FAILURE"),
        ("{ secret }", "UNAUTHENTICATED"),
    ],
)
async def test_what_cannot_be_run_is_told_in_the_stream(served: Served, query: str, code: str) -> None:
    refused, end = await told(served.probe, query)
    assert (refused.event, code_of(refused), end.event) == ("next", code, "complete")


async def test_what_is_no_request_is_told_by_status(served: Served) -> None:
    accepting = {"Accept": EVENTS}
    async with httpx.AsyncClient(trust_env=False, base_url=served.url, headers=accepting) as http:
        form = await http.post("/probe", content=b"{}", headers={"Content-Type": "text/plain"})
        broken = await http.post("/probe", content=b"{", headers={"Content-Type": JSON})
        writing = await http.get("/probe", params={"query": "mutation { bump }"})
        foreign = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"Authorization": "Bearer x"})
        other = await http.put("/graphql", json={"query": "{ __typename }"})
    found = [one.status_code for one in (form, broken, writing, foreign, other)]
    assert found == [415, 400, 405, 401, 405]
    assert writing.headers["allow"] == "POST"
    for one in (form, broken, writing, foreign, other):
        assert one.headers["content-type"] == f"{JSON}; charset=utf-8"
        assert one.json()["errors"]


@pytest.mark.parametrize(
    ("accept", "query", "subscription"),
    [
        (EVENTS, EVENTS, EVENTS),
        ("TEXT/EVENT-STREAM;q=0.9, application/json;q=0.5", EVENTS, EVENTS),
        (f"{RESPONSE_JSON}, {JSON}, {EVENTS}, multipart/mixed", RESPONSE_JSON, EVENTS),
        (f"{EVENTS};q=0.1, {JSON};q=0.2", JSON, EVENTS),
        ("*/*", JSON, None),
        (f"{JSON}, {EVENTS};q=0", JSON, None),
        (f"{EVENTS};q=0", None, None),
        (f"{EVENTS};charset=latin-1", None, None),
        ("text/*", None, None),
    ],
)
async def test_the_form_of_the_answer_is_what_is_accepted(
    served: Served, accept: str, query: str | None, subscription: str | None
) -> None:
    async with httpx.AsyncClient(trust_env=False, headers={"Accept": accept}) as http:
        for document, wanted in (("{ hello }", query), ("subscription { count(to: 1) }", subscription)):
            response = await http.post(f"{served.url}{probe.PATH}", json={"query": document})
            if wanted is not None:
                assert (response.status_code, response.headers["content-type"]) == (200, f"{wanted}; charset=utf-8")
            elif query is None:
                assert response.status_code == 406
            else:
                assert response.status_code == 400
                assert "WebSocket" in response.text
                assert EVENTS in response.text


async def test_every_event_of_the_log_has_its_cursor_as_id_and_goes_on_from_there(city: City) -> None:
    source = city_source(city)
    async with source.opened(ways.UPDATES, {"id": city.metro["id"], "after": city.metro["cursor"]}) as response:
        city.publish(1, 5)
        seen = await some(response, 5)
    assert [sent.id for sent in seen] == [event_of(sent)["cursor"] for sent in seen]
    for document, variables in (
        (ways.UPDATES, {"id": city.metro["id"], "after": city.metro["cursor"]}),
        ("subscription($id: ID!) { opsDispatchUpdates(metroId: $id) { ... on VehicleChanged { n: odometerMeters } } }", {}),
    ):
        given = {"id": city.metro["id"], **variables}
        async with source.opened(document, given, last_event_id=seen[1].id, method="GET") as response:
            city.publish(6, 6)
            numbers = [event_of(sent)["n"] for sent in await some(response, 4)]
        assert numbers[:3] == [3, 4, 5]
        assert numbers[3] == 6


def city_source(city: City) -> EventSource:
    return EventSource(f"{city.url}/graphql", city.live.dispatcher_token)


async def some(response: httpx.Response, events: int) -> list[Sent]:
    found = []
    async with asyncio.timeout(clients.PATIENCE_SECONDS):
        async for sent in blocks(response):
            if sent.event:
                found.append(sent)
            if len(found) == events:
                break
    return found


def event_of(sent: Sent) -> dict[str, Any]:
    event: dict[str, Any] = sent.payload["data"]["opsDispatchUpdates"]
    return event


async def test_who_is_cut_off_before_the_first_event_misses_none(city: City) -> None:
    source = city_source(city)
    async with source.opened(ways.UPDATES, {"id": city.metro["id"]}) as response:
        async with asyncio.timeout(clients.PATIENCE_SECONDS):
            start = await anext(sent async for sent in blocks(response) if sent.comment is None)
    assert (start.event, start.data, bool(start.id)) == ("", None, True)
    city.publish(1, 3)
    stream = await source.follow(ways.UPDATES, last_event_id=start.id, id=city.metro["id"])
    assert [(await stream.next())["n"] for _ in range(3)] == [1, 2, 3]
    await source.close()


async def test_a_chat_resumes_too(served: Served) -> None:
    api = Api(f"{served.url}/graphql", served.live.rider_token)
    metro = await riders.default_metro(api)
    started = await api.run(documents.START_CONVERSATION, input={"metroId": metro["id"]})
    conversation = started["conversation"]
    source = served.rider
    first = await source.follow(documents.CHAT_EVENTS, id=conversation["id"], after=conversation["cursor"])
    for number in range(3):
        given = {"conversationId": conversation["id"], "text": "Hello", "clientMessageId": f"{number}"}
        await api.run(documents.SEND_MESSAGE, input=given)
        await first.until("TurnFinished")
    assert source.last_id == first.cursor
    again = await source.follow(
        documents.CHAT_EVENTS, last_event_id=first.seen[2]["cursor"], id=conversation["id"], after=conversation["cursor"]
    )
    cursors = [(await again.next())["cursor"] for _ in first.seen[3:]]
    assert cursors == [event["cursor"] for event in first.seen[3:]]
    await source.close()


async def test_a_last_event_id_of_others_is_bad_input_and_no_status(served: Served, city: City) -> None:
    for bad in ("garbage", "42", city.metro["cursor"][:-1]):
        refused, end = await told(city_source(city), ways.UPDATES, bad, id=city.metro["id"])
        assert (code_of(refused), end.event) == ("BAD_USER_INPUT", "complete")
    assert (await told(served.probe, COUNT, city.metro["cursor"], to=1))[0].payload == {"data": {"count": 0}}


async def test_what_does_not_come_from_the_log_has_no_id(served: Served) -> None:
    for document in ("{ hello }", "subscription { count(to: 3) }", "subscription { numbered { cursor } }"):
        async with served.probe.opened(document) as response:
            assert [sent.id for sent in await some(response, 1)] == [None]


async def test_it_is_the_same_execution_and_the_same_bytes_as_on_a_socket(served: Served, live_server: LiveServer) -> None:
    way = BY[0]
    async with (
        ways.city_of(way, {way.delivery: (served.app, served.url)}, live_server) as city,
        clients.connected(city.ws_url) as peer,
    ):
        identity = {"authorization": f"Bearer {live_server.dispatcher_token}"}
        await peer.send(json.dumps({"type": "connection_init", "payload": identity}))
        await peer.recv()
        variables = {"id": city.metro["id"], "after": city.metro["cursor"]}
        request = {"query": ways.UPDATES, "variables": variables}
        await peer.send(json.dumps({"id": "1", "type": "subscribe", "payload": request}))
        async with city_source(city).opened(ways.UPDATES, variables) as response:
            city.publish(1, 1)
            (sent,) = await some(response, 1)
            assert await peer.recv() == f'{{"id":"1","type":"next","payload":{sent.data}}}'
            assert city.executions == 1


async def test_a_silent_response_is_pinged(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PING_SECONDS", 0.1)
    async with served.probe.opened("subscription { ticks(everyMs: 10000) }") as response:
        started = time.monotonic()
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(11)] == [
            *(":", ""),
            *("event: next", 'data: {"data":{"ticks":0}}', ""),
            *(":", "") * 3,
        ]
        assert 0.25 < time.monotonic() - started < 9
    await until_none_runs(served.probe)


async def test_who_goes_away_ends_the_operation_and_leaves_nothing(served: Served) -> None:
    before = asyncio.all_tasks()
    for document in ("subscription { ticks }", "subscription { ticks(everyMs: 100000) }", "{ slow(seconds: 10) }"):
        async with served.probe.opened(document) as response:
            await anext(blocks(response))
        await until_none_runs(served.probe)
    await waiting.until(lambda: not asyncio.all_tasks() - before, 5)


async def silent_peer(served: Served) -> socket.socket:
    """It asks for more than it will ever read."""
    query = "subscription%20{flood(events:1000000,size:20000)}"
    head = f"GET {probe.PATH}?query={query} HTTP/1.1\r\nHost: x\r\nAccept: {EVENTS}\r\n\r\n"
    peer = await ways.small_socket(served.url)
    await asyncio.get_running_loop().sock_sendall(peer, head.encode())
    return peer


async def test_who_reads_nothing_holds_little_and_is_cut_off(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STALL_SECONDS", 1.0)
    before = psutil.Process().memory_info().rss
    peers = [await silent_peer(served) for _ in range(5)]
    await asyncio.sleep(0.5)
    assert (await told(served.probe, "{ activeGenerators }"))[0].payload["data"]["activeGenerators"] == 5
    assert psutil.Process().memory_info().rss - before < 5 * 1_000_000
    await until_none_runs(served.probe)
    await waiting.until(lambda: not server_ends(peers), 5)
    for peer in peers:
        peer.close()


def server_ends(peers: list[socket.socket]) -> list[Any]:
    """The server's ends of these."""
    ports = {peer.getsockname()[1] for peer in peers}
    found = psutil.Process().net_connections("tcp")
    return [one for one in found if getattr(one.raddr, "port", None) in ports and one.status != "CLOSE_WAIT"]


async def test_an_account_has_so_many_streams_and_no_more(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    events = served.app.state.graphql.events
    await waiting.until(lambda: not events.running)
    monkeypatch.setattr(events.connections, "per_account", 2)
    source = served.rider
    slow = replace(source, url=served.probe.url)
    for _ in range(2):
        async with AsyncExitStack() as stack:
            for _ in range(2):
                await stack.enter_async_context(slow.opened("subscription { ticks(everyMs: 100000) }"))
            async with source.opened("{ __typename }") as third:
                assert third.status_code == 429
                assert json.loads(await third.aread())["errors"][0]["extensions"]["code"] == "TOO_MANY_CONNECTIONS"
        await until_none_runs(served.probe)


async def test_browsers_of_allowed_origins_may_resume(served: Served) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization,last-event-id"}
    async with httpx.AsyncClient(trust_env=False, headers={"Origin": FRONT_END}) as http:
        allowed = await http.options(f"{served.url}/graphql", headers=asked)
        assert allowed.status_code == 200
        answer = await http.get(f"{served.url}{probe.PATH}", params={"query": "{ hello }"}, headers={"Accept": EVENTS})
        assert answer.headers["access-control-allow-origin"] == FRONT_END


async def test_the_connection_serves_on_when_an_operation_has_completed(served: Served) -> None:
    async with httpx.AsyncClient(trust_env=False, headers={"Accept": EVENTS}) as http:
        answers = [await http.get(f"{served.url}{probe.PATH}", params={"query": "{ hello }"}) for _ in range(3)]
        assert len({one.extensions["network_stream"].get_extra_info("client_addr") for one in answers}) == 1


def names_of_tasks() -> set[str]:
    return {one.get_name() for one in asyncio.all_tasks()}


async def test_a_server_that_is_not_ours_does_the_same(live_server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "STALL_SECONDS", 0.5)
    app = create_app(Settings(data_dir=live_server.data_dir), live_server.database_url, with_worker=False, with_probe=True)
    async with hosting.serving(app, http="h11") as url:
        plain = Served(app, url, live_server)
        assert [sent.event for sent in await told(plain.probe, COUNT, to=2)] == ["next", "next", "complete"]
        async with plain.probe.opened("subscription { ticks(everyMs: 100000) }") as response:
            await some(response, 1)
        with await silent_peer(plain):
            await waiting.until(lambda: "operation" in names_of_tasks())
            await waiting.until(lambda: "operation" not in names_of_tasks())


async def test_a_shutdown_ends_streams_at_once_and_they_go_on_elsewhere(serve: Launcher, demo_database: str) -> None:
    leaving = serve(demo_database, "--no-worker", "--no-prepared", "--protocol-probe")
    staying = serve(demo_database, "--no-worker", "--no-prepared")
    metro = await riders.watched_metro(Api(leaving.graphql_url, leaving.dispatcher_token))
    sources = [EventSource(leaving.graphql_url, leaving.dispatcher_token) for _ in range(20)]
    streams = [await source.follow(ways.UPDATES, id=metro["id"]) for source in sources]
    await waiting.until(lambda: all(source.last_id for source in sources))
    async with EventSource(leaving.probe_url).opened("{ slow(seconds: 1) }") as response:
        leaving.process.terminate()
        for source, stream in zip(sources, streams, strict=True):
            assert await ended(stream) is ResponseEnded
            assert source.comments.get_nowait() == sse.SHUTTING_DOWN
        # What has an end comes to it.
        assert [sent.data for sent in await some(response, 2)] == ['{"data":{"slow":"hello at last"}}', ""]
    await waiting.until(lambda: leaving.process.poll() is not None)
    assert "graceful shutdown exceeded" not in leaving.log
    with psycopg.connect(demo_database) as connection:
        ways.publish(connection, metro, 1, 1)
    again = EventSource(staying.graphql_url, staying.dispatcher_token)
    resumed = await again.follow(ways.UPDATES, last_event_id=sources[0].last_id, id=metro["id"])
    assert (await resumed.next())["n"] == 1
    await again.close()


async def ended(stream: Stream) -> type[Exception]:
    try:
        await stream.next()
    except (ResponseEnded, StreamEnded) as end:
        return type(end)
    raise AssertionError("an event came")
