"""Dialogue: a socket when its process shuts down, and the sockets that one account may have."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

import schema
from app import database
from app.messages import CloseCode
from tests.databases import Databases
from tests.journeys import clients
from tests.journeys.clients import closing, connected, receive
from tests.live import Launcher, LiveServer

Messages = list[dict[str, Any]]


@pytest.fixture
def doomed(serve: Launcher, databases: Databases) -> Iterator[LiveServer]:
    """A probe that this test shuts down."""
    url = databases.clone(databases.template("empty", database.migrate))
    server = serve(url, "--no-worker", "--no-prepared", "--protocol-probe", NIMROD_DRAIN_SECONDS="60")
    yield server
    server.stop()
    databases.drop(url)


async def opened(connection: ClientConnection, **queries: str) -> None:
    await connection.send(json.dumps({"type": "connection_init"}))
    assert (await receive(connection))["type"] == "connection_ack"
    for name, query in queries.items():
        await subscribe(connection, name, query)


async def subscribe(connection: ClientConnection, name: str, query: str) -> None:
    await connection.send(json.dumps({"id": name, "type": "subscribe", "payload": {"query": query}}))


async def until_complete(connection: ClientConnection, name: str) -> Messages:
    """What one operation is told, others' messages left out."""
    told: Messages = []
    while not told or told[-1]["type"] == "next":
        message = await receive(connection)
        if message.get("id") == name:
            told.append(message)
    return told


async def test_a_shutdown_lets_what_has_an_end_come_to_it_and_sends_the_rest_elsewhere(doomed: LiveServer) -> None:
    async with connected(doomed.probe_ws_url) as busy, connected(doomed.probe_ws_url) as idle:
        await opened(busy, stream="subscription { ticks }", question="{ slow(seconds: 1) }")
        await opened(idle, stream="subscription { ticks }")
        assert (await receive(busy))["id"] == (await receive(idle))["id"] == "stream"
        doomed.process.send_signal(signal.SIGTERM)
        assert (await closing(idle))[0] == CloseCode.RESTART
        await subscribe(busy, "late", "{ hello }")
        (refused,) = await until_complete(busy, "late")
        assert refused["payload"][0]["extensions"]["code"] == "UNAVAILABLE"
        told = await until_complete(busy, "question")
        assert [one["type"] for one in told] == ["next", "complete"]
        assert told[0]["payload"]["data"] == {"slow": "hello at last"}
        assert (await closing(busy))[0] == CloseCode.RESTART
    assert await asyncio.to_thread(doomed.process.wait, 40) == 0


async def test_a_shutdown_does_not_wait_for_peers_that_never_answer(doomed: LiveServer) -> None:
    async with connected(doomed.probe_ws_url) as silent:
        await opened(silent, stream="subscription { ticks(everyMs: 60000) }")
        assert (await receive(silent))["id"] == "stream"
        silent.transport.pause_reading()
        doomed.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(doomed.process.wait, 40) == 0


async def init(connection: ClientConnection, token: str) -> dict[str, Any]:
    """The answer. Raises ConnectionClosed when the server closes instead."""
    await connection.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
    return await receive(connection)


async def test_an_account_has_so_many_sockets_and_no_more(serve: Launcher, demo_database: str) -> None:
    server = serve(demo_database, "--no-worker", "--no-prepared", NIMROD_MAX_CONNECTIONS_PER_ACCOUNT="2")

    async def is_let_in(token: str) -> bool:
        async with connected(server.ws_url) as another:
            try:
                return bool((await init(another, token))["type"] == "connection_ack")
            except ConnectionClosed:
                assert await closing(another) == (CloseCode.TOO_MANY_SOCKETS, "An account has 2 sockets at most")
                return False

    async with connected(server.ws_url) as first, connected(server.ws_url) as second:
        for connection in (first, second):
            assert (await init(connection, server.rider_token))["type"] == "connection_ack"
        assert not await is_let_in(server.rider_token)
        assert await is_let_in(server.rider2_token)
        await first.close()
        async with asyncio.timeout(clients.PATIENCE_SECONDS):
            while not await is_let_in(server.rider_token):
                await asyncio.sleep(0.05)


def test_every_close_code_is_in_the_contract() -> None:
    contract = (Path(schema.__file__).parent / "STREAMS.md").read_text()
    assert [code for code in CloseCode if f"| {code.value} |" not in contract] == []
