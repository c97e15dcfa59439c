"""Vehicles around a rider, live: what others take goes, what they give back appears, whoever they are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.journeys import clients, documents, riders
from tests.journeys.clients import Api, Stream
from tests.journeys.event_source import EventSource
from tests.live import LiveServer


@asynccontextmanager
async def _following(server: LiveServer, way: str, after: str, **variables: Any) -> AsyncIterator[Stream]:
    """Over a connection that is gone when the block ends."""
    if way == "websocket":
        async with clients.opened(server.ws_url, server.rider_token) as socket:
            yield await socket.follow(documents.VEHICLES_NEARBY, after=after, **variables)
        return
    source = EventSource(server.graphql_url, server.rider_token)
    try:
        yield await source.follow(documents.VEHICLES_NEARBY, last_event_id=after, **variables)
    finally:
        await source.close()


async def _until(stream: Stream, vehicle_id: str, kind: str) -> dict[str, Any]:
    """The next change of that kind of that vehicle; others are on the streets as well."""
    while True:
        item = await stream.next()
        for change in item["changes"]:
            if change["vehicleId"] == vehicle_id and change["__typename"] == kind:
                return {**change, "cursor": item["cursor"]}


@pytest.mark.parametrize(("way", "number"), [("websocket", 30), ("sse", 31)])
async def test_a_rider_sees_a_bike_go_and_come_back_across_a_lost_connection(
    live_server: LiveServer, way: str, number: int
) -> None:
    rider, other = (Api(live_server.graphql_url, token) for token in (live_server.rider_token, live_server.rider2_token))
    metro = await riders.default_metro(rider)
    bike = (await riders.free_vehicles(other, "BICYCLE"))[number]
    lat, lon = metro["center"]["lat"], metro["center"]["lon"]
    box = {"south": lat - 0.09, "west": lon - 0.09, "north": lat + 0.09, "east": lon + 0.09}
    async with _following(live_server, way, metro["cursor"], id=metro["id"], box=box) as stream:
        held = (await riders.reserve(other, bike["id"], expectedMinutes=10))["reservation"]
        gone = await _until(stream, bike["id"], "NearbyVehicleGone")
        assert set(gone) == {"__typename", "vehicleId", "cursor"}
    given = {"reservationId": held["id"], "idempotencyKey": held["id"]}
    assert (await other.run(documents.CANCEL, input=given))["__typename"] == "CancelReservationSuccess"
    async with _following(live_server, way, gone["cursor"], id=metro["id"], box=box) as stream:
        back = await _until(stream, bike["id"], "NearbyVehicleChanged")
    assert back["hasAppeared"]
    assert back["plate"] == bike["plate"]
