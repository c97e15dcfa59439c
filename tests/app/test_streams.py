"""Shared streams: what followers are told when the engine itself fails, and who may share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.fanout import follower, recent, streams
from app.main import create_app
from app.settings import Settings
from tests.journeys import clients, documents, hosting, riders
from tests.journeys.clients import Api, StreamEnded
from tests.live import LiveServer
from tests.log import until_settled

WATCH = """subscription($id: ID!, $after: String) { opsDispatchUpdates(metroId: $id, after: $after) {
  ... on StreamEvent { cursor } } }"""
REPORT = """mutation($id: ID!) { ops { reportVehicle(input: {vehicleId: $id, batteryPercent: 66}) {
  ... on ReportVehicleSuccess { vehicle { id } } } } }"""


@pytest.fixture
def app(live_server: LiveServer) -> FastAPI:
    return create_app(Settings(data_dir=live_server.data_dir), live_server.database_url, with_worker=False)


@pytest.fixture
async def url(app: FastAPI) -> AsyncIterator[str]:
    async with hosting.serving(app) as url:
        yield url


def broken(_: Any) -> bytes:
    raise RuntimeError("postgresql://user:secret@internal/database")


async def ended(stream: clients.Stream) -> str:
    error: dict[str, Any] = {}
    while not error:
        try:
            await stream.next()
        except StreamEnded as end:
            ((error,),) = end.args
    assert "internal" not in error["message"]
    return str(error["extensions"]["code"])


async def test_a_failure_of_the_pump_is_an_error_for_every_follower_and_the_next_begins_anew(
    url: str, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff = Api(f"{url}/graphql", live_server.dispatcher_token)
    metro, vehicle = await riders.watched_metro(staff), (await riders.free_vehicles(staff, "CAR"))[0]
    async with clients.opened(f"ws{url.removeprefix('http')}/graphql", live_server.dispatcher_token) as socket:
        following = [await socket.follow(WATCH, id=metro["id"], after=metro["cursor"]) for _ in range(3)]
        with monkeypatch.context() as patch:
            patch.setattr(streams, "payload_of", broken)
            await staff.run(REPORT, id=vehicle["id"])
            assert [await ended(stream) for stream in following] == ["INTERNAL_SERVER_ERROR"] * 3
        anew = await socket.follow(WATCH, id=metro["id"], after=metro["cursor"])
        assert (await anew.next())["cursor"]


async def test_a_failure_of_one_replay_is_nobody_elses(
    url: str, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MAX_ITEMS", 1)
    staff = Api(f"{url}/graphql", live_server.dispatcher_token)
    metro, vehicle = await riders.watched_metro(staff), (await riders.free_vehicles(staff, "CAR"))[0]
    async with clients.opened(f"ws{url.removeprefix('http')}/graphql", live_server.dispatcher_token) as socket:
        good = await socket.follow(WATCH, id=metro["id"], after=metro["cursor"])
        for _ in range(3):  # more than is remembered
            await staff.run(REPORT, id=vehicle["id"])
            await good.next()
        with monkeypatch.context() as patch:
            patch.setattr(follower, "payload_of", broken)
            assert await ended(await socket.follow(WATCH, id=metro["id"], after=metro["cursor"])) == "INTERNAL_SERVER_ERROR"
        await staff.run(REPORT, id=vehicle["id"])
        assert (await good.next())["cursor"]


async def test_the_devices_of_a_rider_share_a_conversation_with_each_other_alone(
    app: FastAPI, url: str, live_server: LiveServer
) -> None:
    api = Api(f"{url}/graphql", live_server.rider_token)
    metro = await riders.default_metro(api)
    started = await api.run(documents.START_CONVERSATION, input={"metroId": metro["id"]})
    conversation = started["conversation"]["id"]
    ws_url = f"ws{url.removeprefix('http')}/graphql"
    async with (
        clients.opened(ws_url, live_server.rider_token) as phone,
        clients.opened(ws_url, live_server.rider_token) as tablet,
        clients.opened(ws_url, live_server.rider2_token) as stranger,
    ):
        own = [await one.follow(documents.CHAT_EVENTS, id=conversation) for one in (phone, tablet)]
        refused = await stranger.follow(documents.CHAT_EVENTS, id=conversation)
        assert await ended(refused) == "NOT_FOUND"
        assert len(app.state.sockets.streams) == 1
        await api.run(documents.SEND_MESSAGE, input={"conversationId": conversation, "text": "hello", "clientMessageId": "1"})
        first, second = [await stream.next() for stream in own]
        assert {**first, "arrivedAt": 0} == {**second, "arrivedAt": 0}


async def test_many_who_come_back_read_the_log_once_and_miss_nothing(
    app: FastAPI, url: str, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    staff = Api(f"{url}/graphql", live_server.dispatcher_token)
    metro, vehicle = await riders.watched_metro(staff), (await riders.free_vehicles(staff, "CAR"))[0]
    for _ in range(5):
        await staff.run(REPORT, id=vehicle["id"])
    await until_settled(live_server.database_url)
    executions: list[Any] = []
    schema = app.state.sockets.streams.schema
    stream = schema.stream

    async def counted(*given: Any, **named: Any) -> Any:
        executions.append(given)
        return await stream(*given, **named)

    monkeypatch.setattr(schema, "stream", counted)
    async with clients.opened(f"ws{url.removeprefix('http')}/graphql", live_server.dispatcher_token) as socket:
        back = [await socket.follow(WATCH, id=metro["id"], after=metro["cursor"]) for _ in range(40)]
        cursors = [[(await one.next())["cursor"] for _ in range(5)] for one in back]
        assert cursors == [cursors[0]] * 40
        later = [await socket.follow(WATCH, id=metro["id"], after=cursors[0][2]) for _ in range(10)]
        assert [[(await one.next())["cursor"] for _ in range(2)] for one in later] == [cursors[0][3:]] * 10
        await staff.run(REPORT, id=vehicle["id"])
        assert len({(await one.next())["cursor"] for one in (*back, *later)}) == 1
    assert len(executions) == 2, "the stream itself, and what was before it"


async def test_who_comes_back_from_before_what_is_remembered_reads_alone(
    url: str, live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MAX_ITEMS", 4)
    staff = Api(f"{url}/graphql", live_server.dispatcher_token)
    metro, vehicle = await riders.watched_metro(staff), (await riders.free_vehicles(staff, "CAR"))[0]
    for _ in range(9):
        await staff.run(REPORT, id=vehicle["id"])
    async with clients.opened(f"ws{url.removeprefix('http')}/graphql", live_server.dispatcher_token) as socket:
        for _ in range(3):
            alone = await socket.follow(WATCH, id=metro["id"], after=metro["cursor"])
            seen = [(await alone.next())["cursor"] for _ in range(9)]
            assert len(set(seen)) == 9
            near = await socket.follow(WATCH, id=metro["id"], after=seen[7])
            assert (await near.next())["cursor"] == seen[8]
