"""What staff have to answer reaches them at once, and is resolved once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import errors, eventlog, ids, incidents, tables
from domain.actor import Actor, Role
from domain.values import LatLng
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import new_vehicle
from tests.domain.conftest import City
from tests.log import settled_after

HERE = LatLng(49.41, 8.69)


async def raised(session_factory: SessionFactory, city: City, clock: FixedClock, **given: Any) -> UUID:
    told: dict[str, Any] = {
        "metro_id": city.metro.id,
        "vehicle_id": None,
        "trip_id": None,
        "customer_id": city.rider.account_id,
        "kind": tables.EmergencyKind.FIRE,
        "severity": 1,
        "comment": "It smokes.",
        "position": HERE,
        "incident_id": ids.new(),
        "now": clock.now(),
    }
    async with session_factory.begin() as session:
        await incidents.raise_incident(session, **{**told, **given})
    return UUID(str({**told, **given}["incident_id"]))


async def resolve(session_factory: SessionFactory, who: Actor, incident_id: UUID, clock: FixedClock) -> incidents.Incident:
    async with session_factory.begin() as session:
        await incidents.resolve_incident(session, who, incident_id=incident_id, now=clock.now())
        return await incidents.get_incident(session, who, incident_id)


async def listed(session_factory: SessionFactory, who: Actor, **given: Any) -> list[UUID]:
    wanted: dict[str, Any] = {"metro_id": None, "is_open": None, "before": None, "limit": 10, **given}
    async with session_factory() as session:
        return [row.id for row in await incidents.list_incidents(session, who, **wanted)]


async def events(session_factory: SessionFactory, city: City) -> list[eventlog.Event]:
    async with session_factory() as session:
        return (await settled_after(session, eventlog.dispatch_topic(city.metro.id), eventlog.Position(1, 0, 0))).events


async def test_dispatchers_see_an_incident_at_once_and_the_log_keeps_none_of_its_words(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    incident_id = await raised(session_factory, city, clock, vehicle_id=bike)
    [event] = await events(session_factory, city)
    assert (event.kind, event.payload) == (
        "incident.raised",
        {
            "incidentId": str(incident_id),
            "severity": 1,
            "kind": "fire",
            "lat": HERE.lat,
            "lon": HERE.lon,
            "vehicleId": str(bike),
            "tripId": None,
        },
    )
    async with session_factory() as session:
        found = await incidents.get_incident(session, city.dispatcher, incident_id)
    assert (found.comment, found.position, found.customer_id) == ("It smokes.", HERE, city.rider.account_id)
    assert found.vehicle is not None
    assert found.vehicle.id == bike


async def test_what_is_resolved_stays_as_it_was_resolved_first(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    incident_id, first = await raised(session_factory, city, clock), clock.now()
    assert (await resolve(session_factory, city.dispatcher, incident_id, clock)).resolved_at == first
    async with session_factory.begin() as session:
        other = await factories.add_member(session)
    clock.advance(hours=1)
    again = await resolve(session_factory, other, incident_id, clock)
    assert (again.resolved_at, again.resolved_by) == (first, city.dispatcher.account_id)
    assert [event.kind for event in await events(session_factory, city)] == ["incident.raised", "incident.resolved"]


async def test_staff_see_and_resolve_those_of_their_metros_alone(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    incident_id = await raised(session_factory, city, clock)
    async with session_factory.begin() as session:
        elsewhere = await factories.add_metro(session)
        stranger = await factories.add_member(session, Role.DISPATCHER, elsewhere)
        neighbour = await factories.add_member(session, Role.DISPATCHER, city.metro)
    assert await listed(session_factory, stranger) == []
    assert await listed(session_factory, stranger, metro_id=city.metro.id) == []
    assert await listed(session_factory, neighbour) == [incident_id]
    async with session_factory() as session:
        assert await incidents.find_incident(session, stranger, incident_id) is None
    for wanted in (incident_id, ids.new()):
        with pytest.raises(errors.NotFound):
            await resolve(session_factory, stranger, wanted, clock)


async def test_the_latest_come_first_and_what_is_open_apart(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    first, second, third = [await raised(session_factory, city, clock) for _ in range(3)]
    await resolve(session_factory, city.dispatcher, second, clock)
    assert await listed(session_factory, city.dispatcher) == [third, second, first]
    assert await listed(session_factory, city.dispatcher, is_open=True) == [third, first]
    assert await listed(session_factory, city.dispatcher, is_open=False) == [second]
    assert await listed(session_factory, city.dispatcher, before=third, limit=1) == [second]


@pytest.mark.parametrize(
    ("written", "kept"),
    [(None, None), ("  ", None), ("a\0b\ud800c", "abc"), ("x" * 5000, "x" * incidents.MAX_COMMENT_LENGTH)],
)
async def test_nobody_in_need_is_refused_for_how_it_is_said(
    session_factory: SessionFactory, city: City, clock: FixedClock, written: str | None, kept: str | None
) -> None:
    incident_id = await raised(session_factory, city, clock, comment=written, position=None)
    async with session_factory() as session:
        found = await incidents.get_incident(session, city.dispatcher, incident_id)
    assert (found.comment, found.position, found.vehicle) == (kept, None, None)
