"""A client that comes back too late is told so, and goes on."""

from __future__ import annotations

import psycopg

from app import database
from app.settings import Settings
from domain import eventlog, history, ids
from tests.journeys import clients, riders
from tests.journeys.clients import Api
from tests.live import LiveServer
from tests.log import settled_after

UPDATES = """subscription($id: ID!, $after: String) { opsDispatchUpdates(metroId: $id, after: $after) {
  __typename ... on StreamEvent { cursor } ... on ResyncRequired { reason } ... on VehicleChanged { odometerMeters } } }"""
INSERT = """insert into event_log (topic, kind, version, payload)
  select %s, 'vehicle.changed', 1, jsonb_build_object('vehicleId', gen_random_uuid(), 'vehicleType', 'car', 'plate', 'X',
    'state', 'available', 'batteryPercent', 77, 'odometerMeters', %s::int, 'lat', 52.5, 'lon', 13.4)"""


async def test_a_cursor_older_than_the_history_reads_again_and_goes_on(live_server: LiveServer) -> None:
    metro = await riders.watched_metro(Api(live_server.graphql_url, live_server.dispatcher_token))
    topic = eventlog.dispatch_topic(ids.decode(metro["id"], ids.METRO))

    def drive(meters: int) -> None:
        with psycopg.connect(live_server.database_url) as connection:
            connection.execute(INSERT.encode(), (topic, meters))

    drive(1)
    async with database.opened(Settings(), live_server.database_url) as sessions:
        async with sessions() as session:
            await settled_after(session, topic, await eventlog.current_position(session, topic))
        async with sessions.begin() as session:
            assert await history.erase_topic(session, topic) >= 1
        fresh = (await riders.watched_metro(Api(live_server.graphql_url, live_server.dispatcher_token)))["cursor"]
    async with clients.opened(live_server.ws_url, live_server.dispatcher_token) as socket:
        late, early = [await socket.follow(UPDATES, id=metro["id"], after=after) for after in (metro["cursor"], fresh)]
        gap = await late.next()
        assert gap["__typename"] == "ResyncRequired"
        assert gap["reason"]
        drive(2)
        again = await socket.follow(UPDATES, id=metro["id"], after=gap["cursor"])
        for stream in (late, early, again):
            await stream.until("VehicleChanged", where=lambda event: event["odometerMeters"] == 2)
        assert not early.named("ResyncRequired")
