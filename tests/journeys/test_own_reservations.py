"""A rider's reservations, live: who made, cancelled or outlived them does not matter, and nobody else hears of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from domain import ids
from tests.journeys import clients, documents, riders
from tests.journeys.clients import Api, Stream, StreamEnded
from tests.journeys.event_source import EventSource
from tests.live import LiveServer

LAPSE = "update reservations set lapses_at = now() - interval '1 s' where id = %s"


@asynccontextmanager
async def _following(server: LiveServer, way: str, token: str, after: str | None) -> AsyncIterator[Stream]:
    """Over a connection that is gone when the block ends."""
    if way == "websocket":
        async with clients.opened(server.ws_url, token) as socket:
            yield await socket.follow(documents.OWN_RESERVATIONS, after=after)
        return
    source = EventSource(server.graphql_url, token)
    try:
        yield await source.follow(documents.OWN_RESERVATIONS, last_event_id=after)
    finally:
        await source.close()


async def _cancel_as_staff(server: LiveServer, reservation_id: str) -> None:
    given = {"reservationId": reservation_id, "reason": "Its brakes.", "idempotencyKey": uuid4().hex}
    cancelled = await Api(server.graphql_url, server.dispatcher_token).run(documents.OPS_CANCEL, input=given)
    assert cancelled["__typename"] == "OpsCancelReservationSuccess", cancelled


def _lapse(server: LiveServer, reservation_id: str) -> None:
    """As if a quarter of an hour had passed: the worker sees to the rest."""
    with psycopg.connect(server.database_url) as connection:
        connection.execute(LAPSE.encode(), (ids.decode(reservation_id, ids.RESERVATION),))


def _told(stream: Stream) -> list[tuple[str, str]]:
    return [(event["reservationId"], event["state"]) for event in stream.seen]


@pytest.mark.parametrize("way", ["websocket", "sse"])
async def test_a_rider_hears_of_every_change_once_across_a_lost_connection(live_server: LiveServer, way: str) -> None:
    rider = Api(live_server.graphql_url, live_server.rider2_token)
    start = (await rider.run(documents.VIEWER))["cursor"]
    first, second, third = (await riders.free_vehicles(rider, "BICYCLE"))[-5:-2]
    async with _following(live_server, way, live_server.rider2_token, start) as stream:
        held = (await riders.reserve(rider, first["id"], expectedMinutes=10))["reservation"]
        made = await stream.next()
        assert (made["__typename"], made["state"]) == ("OwnReservationChanged", "CONFIRMED")
        shown = (made["reservationId"], made["vehicleId"], made["vehicleType"], made["startsAt"])
        assert shown == (held["id"], first["id"], "BICYCLE", held["startsAt"])
        assert (made["endsAt"], made["lapsesAt"] > made["startsAt"], made["quoted"]["minorUnits"] > 0) == (None, True, True)
        await _cancel_as_staff(live_server, held["id"])
        assert {**await stream.next(), "arrivedAt": 0} == {
            **made, "state": "CANCELLED", "arrivedAt": 0, "cursor": stream.cursor, "at": stream.seen[-1]["at"]
        }  # fmt: skip
    while_away = (await riders.reserve(rider, second["id"]))["reservation"]
    _lapse(live_server, while_away["id"])
    async with _following(live_server, way, live_server.rider2_token, stream.cursor) as resumed:
        await resumed.until("OwnReservationChanged", where=lambda event: event["state"] == "EXPIRED")
        booked = await riders.reserve(rider, third["id"])
        await resumed.until("OwnReservationChanged", where=lambda event: event["reservationId"] == booked["reservation"]["id"])
    # What lapses once a run would else call for a pause one day.
    await rider.run(documents.CANCEL, input={"reservationId": booked["reservation"]["id"], "idempotencyKey": uuid4().hex})
    assert _told(stream) + _told(resumed) == [
        (held["id"], "CONFIRMED"),
        (held["id"], "CANCELLED"),
        (while_away["id"], "CONFIRMED"),
        (while_away["id"], "EXPIRED"),
        (booked["reservation"]["id"], "CONFIRMED"),
    ]
    async with _following(live_server, way, live_server.rider2_token, start) as again:
        while len(again.seen) < 5:
            await again.next()
    assert _told(again) == _told(stream) + _told(resumed), "the same from the beginning"
    async with _following(live_server, way, live_server.rider2_token, booked["cursor"]) as behind:
        await behind.until("OwnReservationChanged", where=lambda event: event["reservationId"] == booked["reservation"]["id"])


async def test_an_approved_proposal_shows_in_the_stream(live_server: LiveServer) -> None:
    async with riders.chatting(live_server) as chat:
        start = (await chat.api.run(documents.VIEWER))["cursor"]
        stream = await chat.socket.follow(documents.OWN_RESERVATIONS, after=start)
        proposal = await chat.ask(riders.BIKE_TO_MUSEUM)
        decided = await chat.decide(proposal)
        made = await stream.next()
        assert (made["reservationId"], made["state"]) == (decided["reservation"]["id"], "CONFIRMED")


async def test_nobody_hears_of_another_riders_reservations(live_server: LiveServer) -> None:
    """Both follow from the same cursor with the same document, which is as near as they can come to one stream."""
    mine, theirs = (Api(live_server.graphql_url, token) for token in (live_server.rider2_token, live_server.rider_token))
    start: Any = (await mine.run(documents.VIEWER))["cursor"]
    one, other = (await riders.free_vehicles(mine, "SCOOTER_STANDING"))[-2:]
    async with (
        _following(live_server, "websocket", live_server.rider2_token, start) as own,
        _following(live_server, "websocket", live_server.rider_token, start) as foreign,
    ):
        held = (await riders.reserve(mine, one["id"]))["reservation"]
        await own.until("OwnReservationChanged", where=lambda event: event["reservationId"] == held["id"])
        last = (await riders.reserve(theirs, other["id"]))["reservation"]
        await foreign.until("OwnReservationChanged", where=lambda event: event["reservationId"] == last["id"])
    assert held["id"] not in {event["reservationId"] for event in foreign.named("OwnReservationChanged")}
    assert last["id"] not in {event["reservationId"] for event in own.named("OwnReservationChanged")}
    async with _following(live_server, "websocket", live_server.dispatcher_token, start) as refused:
        with pytest.raises(StreamEnded, match="FORBIDDEN"):
            await refused.next()
