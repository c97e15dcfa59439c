"""Adapters: without our own connection below, everything works through ASGI."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from app.main import create_app
from app.settings import Settings
from tests.journeys import clients, hosting, riders
from tests.journeys.clients import closing, connected, receive
from tests.live import LiveServer

WATCH = "subscription($id: ID!) { opsDispatchUpdates(metroId: $id) { __typename ... on VehicleChanged { vehicleId } } }"
REPORT = """mutation($id: ID!) { ops { reportVehicle(input: {vehicleId: $id, batteryPercent: 77}) {
  ... on ReportVehicleSuccess { vehicle { id } } } } }"""


@pytest.fixture
async def url(live_server: LiveServer) -> AsyncIterator[str]:
    app = create_app(Settings(data_dir=live_server.data_dir), live_server.database_url, with_worker=False)
    async with hosting.serving(app, ws="websockets-sansio") as url:
        yield f"{url}/graphql"


async def test_a_shared_stream_reaches_sockets_of_another_protocol(url: str, live_server: LiveServer) -> None:
    api = clients.Api(url, live_server.dispatcher_token)
    metro = await riders.default_metro(api)
    vehicle = (await riders.free_vehicles(api, "CAR"))[0]
    async with clients.opened(f"ws{url.removeprefix('http')}", live_server.dispatcher_token) as socket:
        streams = [await socket.follow(WATCH, id=metro["id"]) for _ in range(2)]
        async with asyncio.timeout(clients.PATIENCE_SECONDS):
            while any(stream.waiting.empty() for stream in streams):
                await api.run(REPORT, id=vehicle["id"])
                await asyncio.sleep(0.05)
        for stream in streams:
            assert (await stream.next())["__typename"] == "VehicleChanged"


@pytest.mark.parametrize("text", ["{", "[]"])
async def test_what_is_no_message_closes_them_too(url: str, text: str) -> None:
    async with connected(f"ws{url.removeprefix('http')}") as connection:
        await connection.send(json.dumps({"type": "connection_init"}))
        assert (await receive(connection))["type"] == "connection_ack"
        await connection.send(text)
        assert (await closing(connection))[0] == 4400
