"""The price of a trip on every device of its rider: one execution, whose ticks and changes all of them get."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app.auth import AccessTokens
from app.database import SessionFactory
from app.fanout.operation import Asked, Operation
from app.fanout.streams import SharedStreams
from app.main import build_runtime
from app.settings import Settings
from domain import eventlog, incidents, tables
from domain.actor import Actor
from domain.ids import METRO, encode, new
from domain.values import LatLng
from resolvers import trip_stream
from resolvers.context import Ctx
from resolvers.streams import Feed
from schema import build
from tests import factories
from tests.app.ways import InsideOutlet
from tests.conftest import FixedClock
from tests.domain import rides
from tests.journeys.clients import Stream
from tests.resolvers.doorbells import HandBell

SCHEMA = build.build()
OWN = """subscription($after: String) { customerTripChanged(after: $after) {
  __typename ... on StreamEvent { cursor }
  ... on OwnTripChanged {
    tripId reservationId vehicleId vehicleType state awaits startedAt pausedAt pausedSeconds endedAt endCause receiptId refusals
    runningPrice { minorUnits }
  }
  ... on RunningPriceTicked { tripId at runningPrice { minorUnits } }
} }"""
OPS = """subscription($metro: ID!, $after: String) { opsDispatchUpdates(metroId: $metro, after: $after) {
  __typename ... on StreamEvent { cursor }
  ... on TripChanged { tripId reservationId customerId vehicleId plate tripState awaits startedAt endedAt endCause }
  ... on IncidentRaised { incidentId emergencyKind severity reportedFrom { lat lon } reportedVehicleId reportedTripId }
  ... on IncidentResolved { incidentId severity }
} }"""


@dataclass
class Scene:
    streams: SharedStreams
    sessions: SessionFactory
    bell: HandBell
    clock: FixedClock
    rider: Actor
    staff: Actor
    metro: tables.Metro
    bike: UUID
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def follow(self, who: Actor, document: str, **variables: Any) -> Stream:
        stream = Stream(self.stack.aclose)
        ctx = Ctx(self.streams.runtime, who, "127.0.0.1", "test")
        operation = Operation(SCHEMA, self.streams, ctx, Asked(document, variables), InsideOutlet(stream, batch=1))
        operation.start()
        self.stack.push_async_callback(operation.stop)
        return stream

    async def have_begun(self) -> None:
        for stream in self.streams._running.values():
            await stream.has_begun()

    async def ring(self) -> None:
        await self.bell.ring([eventlog.rider_topic(self.rider.account_id), eventlog.dispatch_topic(self.metro.id)])

    async def answer(self) -> None:
        await rides.answer(self.sessions, self.bike, self.clock.now())
        await self.ring()


@pytest.fixture
async def scene(session_factory: SessionFactory, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(trip_stream, "LOOK_SECONDS", 0.01)
    bell = HandBell()
    feed = Feed(session_factory, bell)
    feed.start()
    settings = Settings(signing_key="k" * 32)
    runtime = build_runtime(settings, session_factory, AccessTokens(settings.secret(), clock, minutes=5), feed, clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
        await factories.add_tariff(session, metro, unlock_minor=100, per_minute_minor=19)
        rider, staff = await factories.add_rider(session), await factories.add_member(session)
        await factories.add_payment_method(session, rider.account_id)
        bike = await factories.add_vehicle(session, metro)
    made = Scene(SharedStreams(SCHEMA, runtime), session_factory, bell, clock, rider, staff, metro, bike.id)
    async with made.stack:
        yield made
    await feed.stop()


def without(item: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in names}


async def test_two_devices_share_one_execution_and_both_hear_of_changes_and_minutes(scene: Scene) -> None:
    begun = await rides.unlock(scene.sessions, scene.rider, scene.bike, scene.clock.now())
    start = scene.streams.runtime.cursors.of_position(eventlog.Position(1, 0, 0))
    phone, watch = (scene.follow(scene.rider, OWN, after=start) for _ in range(2))
    assert len(scene.streams) == 1
    for device in (phone, watch):
        first = await device.next()
        assert (first["__typename"], first["state"], first["awaits"], first["runningPrice"]) == (
            "OwnTripChanged",
            "PREPARING",
            "UNLOCK",
            None,
        )
    await scene.answer()
    changed = [await device.next() for device in (phone, watch)]
    assert without(changed[0], "arrivedAt") == without(changed[1], "arrivedAt")
    assert (changed[0]["state"], changed[0]["runningPrice"]) == ("IN_USE", {"minorUnits": 119})
    for minute in (2, 3):
        scene.clock.advance(seconds=61 if minute == 2 else 60)
        for device in (phone, watch):
            tick = await device.next()
            assert without(tick, "arrivedAt", "at") == {
                "__typename": "RunningPriceTicked",
                "cursor": changed[0]["cursor"],
                "tripId": changed[0]["tripId"],
                "runningPrice": {"minorUnits": 100 + minute * 19},
            }
    await rides.pause(scene.sessions, scene.rider, begun.id, scene.clock.now())
    await scene.ring()
    for device in (phone, watch):
        assert (await device.next())["awaits"] == "PAUSE"


async def test_a_device_that_comes_with_the_cursor_of_a_tick_hears_the_next_minute(scene: Scene) -> None:
    await rides.ride(scene.sessions, scene.rider, scene.bike, scene.clock.now())
    phone = scene.follow(scene.rider, OWN)
    await scene.have_begun()
    scene.clock.advance(seconds=61)
    tick = await phone.next()
    watch = scene.follow(scene.rider, OWN, after=tick["cursor"])
    scene.clock.advance(seconds=60)
    for device in (phone, watch):
        item = await device.next()
        while item["runningPrice"]["minorUnits"] < 157:
            item = await device.next()
        assert (item["__typename"], item["runningPrice"]["minorUnits"]) == ("RunningPriceTicked", 157)


async def test_dispatchers_hear_of_trips_and_of_incidents(scene: Scene) -> None:
    begun = await rides.unlock(scene.sessions, scene.rider, scene.bike, scene.clock.now())
    start = scene.streams.runtime.cursors.of_position(eventlog.Position(1, 0, 0))
    desk = scene.follow(scene.staff, OPS, metro=encode(METRO, scene.metro.id), after=start)
    asked = await desk.until("TripChanged")
    assert (asked["tripState"], asked["awaits"], asked["startedAt"]) == ("PREPARING", "UNLOCK", None)
    await scene.answer()
    ridden = await desk.until("TripChanged")
    assert (ridden["tripId"], ridden["tripState"], ridden["awaits"]) == (encode("ops_trip", begun.id), "IN_USE", None)
    async with scene.sessions.begin() as session:
        given: dict[str, Any] = {"metro_id": scene.metro.id, "vehicle_id": scene.bike, "trip_id": begun.id, "customer_id": None}
        incident_id, now = new(), scene.clock.now() + timedelta(seconds=1)
        kind = tables.EmergencyKind.FIRE
        await incidents.raise_incident(
            session, **given, kind=kind, severity=1, comment=None, position=LatLng(49.4, 8.7), incident_id=incident_id, now=now
        )
        await incidents.resolve_incident(session, scene.staff, incident_id=incident_id, now=now)
    await scene.ring()
    raised = await desk.until("IncidentRaised")
    assert without(raised, "arrivedAt", "cursor") == {
        "__typename": "IncidentRaised",
        "incidentId": encode("ops_incident", incident_id),
        "emergencyKind": "FIRE",
        "severity": 1,
        "reportedFrom": {"lat": 49.4, "lon": 8.7},
        "reportedVehicleId": encode("fleet_vehicle", scene.bike),
        "reportedTripId": ridden["tripId"],
    }
    assert (await desk.until("IncidentResolved"))["incidentId"] == raised["incidentId"]
