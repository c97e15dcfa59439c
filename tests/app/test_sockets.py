"""Sockets: graphql-transport-ws, spoken to a live server message by message."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from tests.journeys import clients, documents, hosting, riders
from tests.journeys.clients import closing, connected, receive
from tests.live import LiveServer

VIEWER = "{ customer { viewer { email } } }"
TICKS = "subscription { ticks }"


async def _send(connection: ClientConnection, **message: Any) -> None:
    await connection.send(json.dumps(message))


async def _init(connection: ClientConnection, token: str | None = None) -> None:
    payload = {"authorization": f"Bearer {token}"} if token else None
    await _send(connection, type="connection_init", payload=payload)
    assert (await receive(connection))["type"] == "connection_ack"


async def _subscribe(connection: ClientConnection, name: str, query: str, /, **variables: Any) -> None:
    await _send(connection, id=name, type="subscribe", payload={"query": query, "variables": variables})


async def _answer(connection: ClientConnection, id: str, query: str) -> dict[str, Any]:
    await _subscribe(connection, id, query)
    answer = await receive(connection)
    assert answer["id"] == id
    if answer["type"] == "next":
        assert await receive(connection) == {"id": id, "type": "complete"}
    return answer


@pytest.mark.parametrize("message", [{}, {"payload": None}, {"payload": {}}, {"payload": {"other": 1}}])
async def test_a_socket_opens_without_a_token_and_may_do_what_needs_none(
    live_server: LiveServer, message: dict[str, Any]
) -> None:
    async with connected(live_server.ws_url) as connection:
        await _send(connection, type="connection_init", **message)
        assert await receive(connection) == {"type": "connection_ack"}
        answer = await _answer(connection, "1", documents.METROS)
        assert answer["payload"]["data"]["customer"]["metros"]
        refused = await _answer(connection, "2", VIEWER)
        assert refused["type"] == "error"
        assert refused["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_socket_knows_its_actor_by_the_payload_or_by_the_header(live_server: LiveServer) -> None:
    async with connected(live_server.ws_url) as connection:
        await _init(connection, live_server.rider_token)
        answer = await _answer(connection, "1", VIEWER)
        assert answer["payload"] == {"data": {"customer": {"viewer": {"email": "rider@nimrod.example"}}}}
    headers = {"Authorization": f"Bearer {live_server.rider2_token}"}
    async with connected(live_server.ws_url, headers=headers) as connection:
        await _init(connection)
        answer = await _answer(connection, "1", VIEWER)
        assert answer["payload"] == {"data": {"customer": {"viewer": {"email": "rider2@nimrod.example"}}}}


@pytest.mark.parametrize("authorization", ["Bearer garbage", "Basic YTpi", "", 1, {}, ["Bearer x"], "expired"])
async def test_a_bad_token_closes_the_socket(live_server: LiveServer, authorization: Any) -> None:
    if authorization == "expired":
        authorization = f"Bearer {await hosting.rider_token(live_server, expires_in_seconds=-1)}"
    async with connected(live_server.ws_url) as connection:
        await _send(connection, type="connection_init", payload={"authorization": authorization})
        assert await closing(connection) == (4403, "Forbidden")


async def test_a_socket_closes_when_its_token_runs_out(live_server: LiveServer) -> None:
    token = await hosting.rider_token(live_server, expires_in_seconds=3)
    async with riders.chatting(live_server) as chat, connected(live_server.ws_url) as connection:
        await _init(connection, token)
        started = time.monotonic()
        await _subscribe(connection, "1", documents.CHAT_EVENTS, id=chat.conversation_id)
        assert await closing(connection) == (4403, "Access token expired")
        assert time.monotonic() - started < 15
        await chat.say("hello")
        await chat.stream.until("TurnFinished")


@pytest.mark.parametrize("query", ["{", "subscription { nothing }", "query A { __typename } query B { __typename }", ""])
async def test_a_document_that_cannot_run_troubles_its_own_operation_alone(live_server: LiveServer, query: str) -> None:
    async with connected(live_server.ws_url) as connection:
        await _init(connection, live_server.rider_token)
        answer = await _answer(connection, "1", query)
        assert answer["type"] == "error", answer
        assert answer["payload"][0]["message"]
        assert (await _answer(connection, "1", VIEWER))["type"] == "next", "the id is free again"


async def test_many_operations_share_one_socket(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as first, riders.chatting(live_server) as second:
        stream = await first.socket.follow(documents.CHAT_EVENTS, id=second.conversation_id)
        with pytest.raises(clients.StreamEnded):
            await (await first.socket.follow("{ nothing }")).next()
        viewer = await first.socket.follow(VIEWER)
        assert (await viewer.next())["viewer"]["email"] == "rider@nimrod.example"
        await first.say("hello")
        await second.say("hello")
        finished = [await each.until("TurnFinished") for each in (first.stream, second.stream, stream)]
        assert finished[1]["turnId"] == finished[2]["turnId"] != finished[0]["turnId"]
        await stream.complete()
        await first.say("hello again")
        await first.stream.until("TurnFinished")


async def test_a_second_operation_of_one_id_closes_the_socket(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat, connected(live_server.ws_url) as connection:
        await _init(connection, live_server.rider_token)
        await _subscribe(connection, "1", documents.CHAT_EVENTS, id=chat.conversation_id)
        await _subscribe(connection, "1", documents.CHAT_EVENTS, id=chat.conversation_id)
        assert await closing(connection) == (4409, "Subscriber for 1 already exists")


async def test_an_operation_before_the_socket_is_acknowledged_closes_it(live_server: LiveServer) -> None:
    async with connected(live_server.ws_url) as connection:
        await _subscribe(connection, "1", documents.METROS)
        assert await closing(connection) == (4401, "Unauthorized")


async def test_a_second_init_closes_the_socket(live_server: LiveServer) -> None:
    async with connected(live_server.ws_url) as connection:
        await _init(connection)
        await _send(connection, type="connection_init")
        assert await closing(connection) == (4429, "Too many initialisation requests")


async def test_a_socket_that_says_nothing_is_closed(live_server: LiveServer) -> None:
    async with connected(live_server.ws_url) as connection:
        assert await closing(connection) == (4408, "Connection initialisation timeout")


@pytest.mark.parametrize(
    "frame",
    [
        "{",
        "[]",
        "1",
        "null",
        "{}",
        '{"type": 1}',
        '{"type": "unknown"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": [], "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": {}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "extensions": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": 1}}',
        '{"type": "ping", "payload": "x"}',
        '{"type": "pong", "payload": []}',
        '{"type": "next", "id": "1", "payload": {}}',
        '{"type": "start", "id": "1", "payload": {"query": "{ __typename }"}}',
        "[" * 100_000 + "]" * 100_000,
        json.dumps({"type": "a type of many words " * 100}),
        b"\x00\x01",
    ],
    ids=lambda frame: str(frame)[:80],
)
async def test_a_frame_that_is_no_message_closes_the_socket_as_the_protocol_says(
    live_server: LiveServer, frame: str | bytes
) -> None:
    async with connected(live_server.ws_url) as connection:
        await _init(connection)
        await connection.send(frame)
        code, reason = await closing(connection)
        assert (code, bool(reason)) == (4400, True)


async def test_an_init_with_a_payload_that_is_no_object_closes_the_socket(live_server: LiveServer) -> None:
    payloads: list[Any] = ["x", 1, [], True]
    for payload in payloads:
        async with connected(live_server.ws_url) as connection:
            await _send(connection, type="connection_init", payload=payload)
            assert (await closing(connection))[0] == 4400


async def test_a_message_beyond_the_limit_closes_the_socket(live_server: LiveServer) -> None:
    async with connected(live_server.ws_url) as connection:
        await _init(connection)
        await _subscribe(connection, "1", documents.METROS, x="x" * 300_000)
        assert (await closing(connection))[0] == 1009


async def test_half_a_character_in_a_variable_is_bad_input_of_its_operation(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        given = {"conversationId": chat.conversation_id, "text": "\ud800", "clientMessageId": "1"}
        refused = await (await chat.socket.follow(documents.SEND_MESSAGE, input=given)).next()
        assert refused["sendMessage"]["__typename"] == "InvalidInputError"
        for document, values in (
            (documents.SIGN_IN, {"input": {"email": "a@b\ud800", "password": "x"}}),
            (documents.DECIDE, {"input": {"proposalId": "\ud800", "digest": "\ud800", "decision": "APPROVE"}}),
            (documents.RESERVE, {"input": {"vehicleId": "\ud800", "idempotencyKey": "\ud800"}}),
        ):
            answer = await (await chat.socket.follow(document, **values)).next()
            (typename,) = (member["__typename"] for member in answer.values() if isinstance(member, dict))
            assert typename in ("InvalidInputError", "NotFoundError")


@pytest.mark.parametrize("payload", [{}, {"n": 7}, {"text": "\ud800"}, {"huge": 10**30}])
async def test_a_ping_is_answered_with_what_it_brought(live_server: LiveServer, payload: dict[str, Any]) -> None:
    async with connected(live_server.ws_url) as connection:
        await _send(connection, type="ping")
        assert await receive(connection) == {"type": "pong"}
        await _init(connection)
        await _send(connection, type="pong")
        await _send(connection, type="ping", payload=None)
        assert await receive(connection) == {"type": "pong"}
        await _send(connection, type="ping", payload=payload)
        assert await receive(connection) == {"type": "pong", "payload": payload}


async def test_an_id_is_any_text(live_server: LiveServer) -> None:
    async with connected(live_server.ws_url) as connection:
        await _init(connection)
        for name in ("\N{CRAB}\u05d0\0z", "\ud800", "long" * 10_000):
            assert (await _answer(connection, name, documents.METROS))["type"] == "next"


async def test_a_reason_that_quotes_the_client_fits_into_a_close_frame(probe_server: LiveServer) -> None:
    async with connected(probe_server.probe_ws_url) as connection:
        await _init(connection)
        for _ in range(2):
            await _subscribe(connection, "\ud800" + "\N{CRAB}" * 1000, TICKS)
        code, reason = await closing(connection)
    assert code == 4409
    assert reason.startswith("Subscriber for ?\N{CRAB}")


async def test_pages_of_other_origins_get_no_socket(live_server: LiveServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connected(live_server.ws_url, origin="https://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    async with connected(live_server.ws_url, origin=live_server.url) as connection:
        await _init(connection)


async def test_a_stream_of_what_belongs_to_others_is_refused(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        async with clients.opened(live_server.ws_url, live_server.rider2_token) as socket:
            for conversation_id in (chat.conversation_id, "garbage", "conversation_00000000000000000000000000"):
                with pytest.raises(clients.StreamEnded) as ended:
                    await (await socket.follow(documents.CHAT_EVENTS, id=conversation_id)).next()
                assert ended.value.args[0][0]["extensions"]["code"] in ("NOT_FOUND", "BAD_USER_INPUT")
        async with clients.opened(live_server.ws_url, live_server.rider_token) as socket:
            for cursor in ("garbage", "", "UAAAAAEAAAAAAAADBAAAAAAAAAAR8AlW9Zk2FxM"):
                with pytest.raises(clients.StreamEnded) as ended:
                    await (await socket.follow(documents.CHAT_EVENTS, id=chat.conversation_id, after=cursor)).next()
                assert ended.value.args[0][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_dropped_client_leaves_nothing_behind(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        for _ in range(20):
            async with connected(live_server.ws_url) as connection:
                await _init(connection, live_server.rider_token)
                await _subscribe(connection, "1", documents.CHAT_EVENTS, id=chat.conversation_id)
                connection.transport.abort()
                with pytest.raises(ConnectionClosed):
                    await connection.recv()
        await chat.say("hello")
        await chat.stream.until("TurnFinished")
    assert "Task exception was never retrieved" not in live_server.log
    assert '"level":"error"' not in live_server.log


async def _generators(server: LiveServer) -> int:
    found: int = (await clients.Api(server.probe_url).answer("{ activeGenerators }"))["data"]["activeGenerators"]
    return found


async def _until_no_generator_runs(server: LiveServer) -> None:
    deadline = time.monotonic() + 5
    while running := await _generators(server):
        assert time.monotonic() < deadline, f"{running} still run"
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("how", ["complete", "close", "abort"])
async def test_streams_stop_when_nobody_follows_them_any_more(probe_server: LiveServer, how: str) -> None:
    async with clients.opened(probe_server.probe_ws_url) as socket:
        streams = [await socket.follow(TICKS) for _ in range(10)]
        for stream in streams:
            await stream.next()
        assert await _generators(probe_server) == 10
        if how == "complete":
            for stream in streams:
                await stream.complete()
        elif how == "close":
            await socket.connection.close()
        else:
            socket.connection.transport.abort()
        await _until_no_generator_runs(probe_server)


async def test_operations_beyond_the_limit_of_a_socket_are_refused_one_by_one(probe_server: LiveServer) -> None:
    async with clients.opened(probe_server.probe_ws_url) as socket:
        streams = [await socket.follow(TICKS) for _ in range(100)]
        with pytest.raises(clients.StreamEnded) as refused:
            await (await socket.follow("{ hello }")).next()
        assert refused.value.args[0][0]["extensions"] == {"code": "TOO_MANY_OPERATIONS"}
        await streams[0].complete()
        assert (await (await socket.follow("{ hello }")).next())["value"] == "hello"
        await streams[1].next()
    await _until_no_generator_runs(probe_server)


async def test_a_stream_with_much_to_say_leaves_others_their_turn(probe_server: LiveServer) -> None:
    async with clients.opened(probe_server.probe_ws_url) as loud, clients.opened(probe_server.probe_ws_url) as other:
        flood = await loud.follow("subscription { flood(events: 20000, size: 200) }")
        await flood.next()
        await (await other.follow("{ hello }")).next()
        assert flood.waiting.qsize() < 15_000, "it waited until the flood was over"
    await _until_no_generator_runs(probe_server)


async def test_a_numbered_stream_resumes_behind_its_cursor(probe_server: LiveServer) -> None:
    seen, after = [], None
    for _ in range(3):
        async with clients.opened(probe_server.probe_ws_url) as socket:
            stream = await socket.follow(
                "subscription ($after: String) { numbered(after: $after) { cursor sequence } }", after=after
            )
            seen += [(await stream.next())["sequence"] for _ in range(5)]
            after = stream.cursor
    assert seen == list(range(seen[0], seen[0] + 15))


async def test_only_its_own_protocol_is_spoken(live_server: LiveServer) -> None:
    for offered in ("graphql-ws", "nonsense", None):
        protocols = [Subprotocol(offered)] if offered else None
        async with connect(live_server.ws_url, subprotocols=protocols, proxy=None) as connection:
            assert await closing(connection) == (4406, "Subprotocol not acceptable")


async def test_bytes_that_are_no_text_close_the_socket(live_server: LiveServer) -> None:
    async with connected(live_server.ws_url) as connection:
        await _init(connection)
        await connection.send(b"{\xff\xfe}", text=True)
        assert (await closing(connection))[0] == 1007


async def test_the_probe_is_there_only_when_asked_for(live_server: LiveServer) -> None:
    assert (await clients.Api(live_server.probe_url).post("{ hello }")).status_code == 404
    with pytest.raises(InvalidStatus):
        async with connected(live_server.probe_ws_url):
            pass
