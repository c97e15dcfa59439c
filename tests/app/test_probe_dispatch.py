"""The probe's dispatch: the same event over the log and over memory, followed together like every shared stream."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any
from uuid import UUID

import pytest
import strawberry
from websockets.exceptions import ConnectionClosed

from app import probe_dispatch
from app.auth import AccessTokens
from app.fanout import follower
from app.gateways.clock import SystemClock
from app.main import create_app
from app.messages import CloseCode
from app.settings import Settings
from domain.actor import Actor, Audience, Role
from tests.journeys import clients, hosting
from tests.live import LiveServer

FIELDS = "seq vehicleId kind state batteryPercent lat lon plate cursor"
DURABLE = f"subscription ($after: String) {{ durableDispatch(after: $after) {{ {FIELDS} }} }}"
FOLLOW = {"durable": DURABLE, "memory": f"subscription {{ memoryDispatch {{ {FIELDS} }} }}"}
PUBLISH = {mode: f"mutation ($input: ProbeDispatchInput!) {{ publish{mode.capitalize()}(input: $input) }}" for mode in FOLLOW}
EVENT = {
    "vehicleId": "0190b0c0-0000-7000-8000-000000000001",
    "kind": "SCOOTER",
    "state": "AVAILABLE",
    "batteryPercent": 77,
    "lat": 52.5163,
    "lon": 13.3777,
    "plate": "B-MX 0042",
}


@pytest.fixture
def token(probe_server: LiveServer) -> str:
    """Of nobody in particular: who signs in shares."""
    who = Actor(Audience.OPS, UUID(int=7), Role.DISPATCHER, session_id=UUID(int=7))
    secret = Settings(data_dir=probe_server.data_dir).secret()
    return AccessTokens(secret, SystemClock(), minutes=5).access_token(who)[0]


async def publish(server: LiveServer, mode: str, *numbers: int) -> None:
    api = clients.Api(server.probe_url)
    for seq in numbers:
        answer = await api.answer(PUBLISH[mode], input={**EVENT, "seq": seq})
        assert "errors" not in answer, answer["errors"]


async def begun(server: LiveServer, mode: str, stream: clients.Stream) -> None:
    """A stream that is known to be live; events numbered 0 were for that."""
    async with asyncio.timeout(clients.PATIENCE_SECONDS):
        while stream.waiting.empty():
            await publish(server, mode, 0)
            await asyncio.sleep(0.02)


async def events(stream: clients.Stream, last: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while not found or found[-1]["seq"] != last:
        if (event := await stream.next())["seq"] != 0:
            found.append(event)
    return found


@pytest.mark.parametrize("mode", FOLLOW)
@pytest.mark.parametrize("is_signed_in", [True, False], ids=["shared", "private"])
async def test_every_follower_gets_every_event_in_order(
    probe_server: LiveServer, token: str, mode: str, is_signed_in: bool
) -> None:
    whose = token if is_signed_in else None
    async with clients.opened(probe_server.probe_ws_url, whose) as one, clients.opened(probe_server.probe_ws_url, whose) as two:
        streams = [await socket.follow(FOLLOW[mode]) for socket in (one, one, two)]
        for stream in streams:
            await begun(probe_server, mode, stream)
        await publish(probe_server, mode, *range(1, 21))
        for stream in streams:
            seen = await events(stream, 20)
            assert [event["seq"] for event in seen] == list(range(1, 21))
            assert {name: seen[0][name] for name in EVENT} == EVENT
            assert all((event["cursor"] is None) == (mode == "memory") for event in seen)


async def test_the_durable_one_resumes_by_its_cursor(probe_server: LiveServer, token: str) -> None:
    async with clients.opened(probe_server.probe_ws_url, token) as socket:
        first = await socket.follow(DURABLE)
        await begun(probe_server, "durable", first)
        await publish(probe_server, "durable", *range(1, 11))
        seen = await events(first, 10)
        await first.complete()
        await publish(probe_server, "durable", 11, 12)
        again = await socket.follow(DURABLE, after=seen[4]["cursor"])
        await publish(probe_server, "durable", 13)
        assert [event["seq"] for event in await events(again, 13)] == list(range(6, 14))


async def test_who_is_too_slow_for_a_stream_without_a_log_is_told_so(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "QUEUE_LIMIT", 10)
    app = create_app(Settings(data_dir=live_server.data_dir), live_server.database_url, with_worker=False, with_probe=True)
    event = probe_dispatch.ProbeDispatch(
        cursor=None,
        seq=1,
        vehicle_id=strawberry.ID("v"),
        kind=probe_dispatch.Kind.CAR,
        state=probe_dispatch.State.IN_USE,
        battery_percent=77,
        lat=52.5,
        lon=13.4,
        plate="x" * 100_000,
    )
    async with hosting.serving(app) as url:
        ws_url = f"ws{url.removeprefix('http')}/probe"
        async with clients.opened(ws_url) as healthy, clients.connected(ws_url) as slow:
            await slow.send(json.dumps({"type": "connection_init"}))
            await clients.receive(slow)
            await slow.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": FOLLOW["memory"]}}))
            following = await healthy.follow(FOLLOW["memory"])
            async with asyncio.timeout(clients.PATIENCE_SECONDS):
                while following.waiting.empty():
                    await probe_dispatch.hub.publish(event)
                    await asyncio.sleep(0.05)
            for _ in range(200):  # the slow one's library stops reading after some, and nobody asks it for more
                await probe_dispatch.hub.publish(event)
                await following.next()
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await clients.receive(slow)
            assert slow.close_code == CloseCode.TOO_SLOW
