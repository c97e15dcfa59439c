"""Calling for help: once a key, with a trip or without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import func, select

from app.database import SessionFactory
from domain import errors, eventlog, ids, tables
from domain.tables import EmergencyKind, TripEnd, TripState
from domain.values import VehicleState
from resolvers import emergencies
from resolvers.context import Ctx
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.log import settled_after
from tests.resolvers.front import asking, runtime_of


@dataclass
class Scene:
    rider: Ctx
    other: Ctx
    metro: tables.Metro
    bike: tables.Vehicle
    sessions: SessionFactory

    async def report(self, who: Ctx, key: str = "help", **given: Any) -> emergencies.Emergency:
        asked: dict[str, Any] = {"trip_id": None, "vehicle_id": None, "kind": EmergencyKind.INJURY, "comment": None}
        return await emergencies.report_emergency(who, position=None, idempotency_key=key, **{**asked, **given})

    async def ride(self) -> str:
        now = self.rider.runtime.clock.now()
        return ids.encode(ids.TRIP, (await rides.ride(self.sessions, self.rider.who, self.bike.id, now)).id)

    async def incidents(self) -> int:
        async with self.sessions() as session:
            return (await session.execute(select(func.count()).select_from(tables.Incident))).scalar_one()


@pytest.fixture
async def scene(session_factory: SessionFactory, clock: FixedClock) -> Scene:
    runtime = runtime_of(session_factory, clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
        await factories.add_tariff(session, metro)
        bike = await factories.add_vehicle(session, metro)
        people = [await factories.add_rider(session) for _ in range(2)]
        await factories.add_payment_method(session, people[0].account_id)
    rider, other = (asking(runtime, who) for who in people)
    return Scene(rider, other, metro, bike, session_factory)


async def test_an_emergency_ends_the_trip_and_is_raised_once_a_key(scene: Scene) -> None:
    ridden = await scene.ride()
    found = await scene.report(scene.rider, trip_id=ridden)
    assert found.trip is not None
    assert (found.trip.state, found.trip.end_cause) == (TripState.ENDED, TripEnd.EMERGENCY)
    assert found.trip.vehicle.state is VehicleState.NON_OPERATIONAL
    again = await scene.report(scene.rider, trip_id=ridden)
    assert (again.incident_id, again.trip) == (found.incident_id, found.trip)
    with pytest.raises(errors.IdempotencyConflict):
        await scene.report(scene.rider, trip_id=ridden, kind=EmergencyKind.FIRE)
    assert await scene.incidents() == 1
    async with scene.sessions() as session:
        events = (await settled_after(session, eventlog.dispatch_topic(scene.metro.id), found.position)).events
    assert [event.kind for event in events].count("incident.raised") == 1
    assert [event.payload["state"] for event in events if event.kind == "trip.changed"][-1] == TripState.ENDED


async def test_who_names_the_vehicle_that_they_ride_is_shown_the_trip(scene: Scene) -> None:
    ridden = await scene.ride()
    found = await scene.report(scene.rider, vehicle_id=ids.encode(ids.VEHICLE, scene.bike.published_id))
    assert found.trip is not None
    assert (ids.encode(ids.TRIP, found.trip.id), found.trip.state) == (ridden, TripState.ENDED)


async def test_a_passer_by_reports_a_vehicle_and_learns_nothing_of_its_ride(scene: Scene) -> None:
    await scene.ride()
    found = await scene.report(scene.other, vehicle_id=ids.encode(ids.VEHICLE, scene.bike.published_id))
    assert found.trip is None
    assert await scene.incidents() == 1


async def test_nobody_reports_of_the_trip_of_somebody_else(scene: Scene) -> None:
    ridden = await scene.ride()
    with pytest.raises(errors.NotFound):
        await scene.report(scene.other, trip_id=ridden)
    with pytest.raises(errors.InvalidInput) as refusal:
        await scene.report(scene.other, trip_id=ids.encode(ids.VEHICLE, scene.bike.published_id))
    assert refusal.value.issues[0].path == "about.tripId"
    assert await scene.incidents() == 0
