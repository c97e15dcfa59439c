"""The server: TLS without a proxy in front, down to the frames of the broadcast."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from app.settings import Settings
from tests.journeys import clients, documents, hosting, riders
from tests.journeys.clients import Api, receive
from tests.live import LiveServer

WATCH = "subscription($id: ID!) { opsDispatchUpdates(metroId: $id) { ... on StreamEvent { cursor } } }"
REPORT = """mutation($id: ID!) { ops { reportVehicle(input: {vehicleId: $id, batteryPercent: 55}) {
  ... on ReportVehicleSuccess { vehicle { id } } } } }"""


async def test_requests_and_the_frames_of_a_stream_travel_over_tls(
    live_server: LiveServer, certificate: tuple[Path, Path]
) -> None:
    trust = ssl.create_default_context(cafile=certificate[0])
    async with (
        hosting.hosted(live_server, tls_certificate=certificate[0], tls_key=certificate[1]) as url,
        httpx.AsyncClient(verify=trust, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)) as http,
    ):
        assert url.startswith("https://")
        api = Api(f"{url}/graphql", live_server.dispatcher_token, http)
        assert await api.run(documents.METROS)
        metro, vehicle = await riders.default_metro(api), (await riders.free_vehicles(api, "CAR"))[0]
        ws_url = f"wss{url.removeprefix('https')}/graphql"
        async with connect(ws_url, ssl=trust, subprotocols=[Subprotocol("graphql-transport-ws")], proxy=None) as connection:
            payload = {"authorization": f"Bearer {live_server.dispatcher_token}"}
            await connection.send(json.dumps({"type": "connection_init", "payload": payload}))
            assert (await receive(connection))["type"] == "connection_ack"
            variables = {"id": metro["id"]}
            await connection.send(
                json.dumps({"id": "1", "type": "subscribe", "payload": {"query": WATCH, "variables": variables}})
            )
            heard = asyncio.create_task(receive(connection))
            async with asyncio.timeout(clients.PATIENCE_SECONDS):
                while not heard.done():
                    await api.run(REPORT, id=vehicle["id"])
                    await asyncio.sleep(0.05)
            assert (await heard)["payload"]["data"]["opsDispatchUpdates"]["cursor"]


def test_half_of_tls_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="belong together"):
        Settings(tls_key=tmp_path / "key.pem")
