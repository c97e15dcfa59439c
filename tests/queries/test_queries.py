"""Operations beside their expected answers, with the number of statements that each sends to the database.

`name.graphql` is run as `name.json` says: by whom, with which variables. A missing expectation is written once and
fails, so that somebody reads it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app import database
from app.auth import AccessTokens
from app.doorbell import Doorbell
from app.main import build_runtime
from app.settings import Settings
from domain import accounts, ids
from domain.actor import Actor, Audience, Role
from domain.seals import Purpose
from domain.values import LatLng, LicenceState, VehicleType
from resolvers.context import Ctx, Runtime
from resolvers.streams import Feed
from schema import build
from tests import factories
from tests.conftest import PATIENT, FixedClock
from tests.databases import Databases
from tests.queries import bills, complaints, outings
from tests.resolvers.front import PASSWORD, CountedHasher

FOLDER = Path(__file__).parent
OPERATIONS = sorted(path.stem for path in FOLDER.glob("*.graphql"))
SCHEMA = build.build()
_ID = re.compile(r"^([a-z_]+)_[0-7][0-9a-z]{25}$")
_LINK = re.compile(r"^(https?://[^/]+/[a-z]+/)[A-Za-z0-9_-]{30,80}(\.pdf)?$")
_CURSOR = re.compile(r"^[A-Za-z0-9_-]{30,80}$")


@dataclass
class Scene:
    runtime: Runtime
    people: dict[str, Actor | None]
    ids: dict[str, str]


@dataclass
class Stage:
    """What is set up once: each operation has a copy of it."""

    template: str
    people: dict[str, Actor | None]
    ids: dict[str, str]


@pytest.fixture(scope="module")
def stage(databases: Databases) -> Stage:
    made: list[Scene] = []

    async def build_scene(url: str) -> None:
        async with database.opened(PATIENT, url) as sessions:
            made.append(await _scene(sessions, FixedClock()))

    def fill(url: str) -> None:
        asyncio.run(build_scene(url))

    template = databases.template("queries", fill, base=databases.template("empty", database.migrate))
    return Stage(template, made[0].people, made[0].ids)


@pytest.fixture
def database_url(databases: Databases, stage: Stage) -> Iterator[str]:
    url = databases.clone(stage.template)
    yield url
    databases.drop(url)


@pytest.fixture
async def scene(session_factory: database.SessionFactory, clock: FixedClock, stage: Stage) -> Scene:
    return Scene(_runtime(session_factory, clock), stage.people, stage.ids)


def _runtime(sessions: database.SessionFactory, clock: FixedClock) -> Runtime:
    settings = Settings(signing_key="k" * 32)
    tokens = AccessTokens(settings.secret(), clock, minutes=5)
    return build_runtime(settings, sessions, tokens, Feed(sessions, Doorbell.at("memory://", "")), clock)


async def _scene(session_factory: database.SessionFactory, clock: FixedClock) -> Scene:
    runtime = _runtime(session_factory, clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session, name="Testville", is_default=True)
        for kind in VehicleType:
            await factories.add_tariff(session, metro, kind)
        station = await factories.add_station(session, metro, "Central")
        await factories.add_station(session, metro, "Depot", lat=factories.CENTER.lat + 0.001, is_charging_station=False)
        await factories.add_place(session, metro, "Museum")
        zone = await factories.add_zone(session, metro, geometry=factories.square(LatLng(49.5, 8.5), 0.25), maximum_speed_kph=15)
        await factories.add_vehicle(session, metro, VehicleType.CAR, at=LatLng(49.29, 8.69), plate="CAR-1", battery_percent=60)
        bikes = [await factories.add_vehicle(session, metro, plate=f"T-{n}", station_id=station.id) for n in range(3)]
        customer = await factories.add_customer(session, email="robin@example.org", name="Robin")
        told = await factories.add_notification(session, customer_id=customer.id, metro_id=metro.id)
        await factories.add_delivery(session, told, is_simulated=True)
        dispatcher = await factories.add_member(session)
        leaving = (await factories.add_customer(session, email="leaver@example.org")).id
        credentials = accounts.Credentials(leaving, None, Role.RIDER, None)
        leaver = await accounts.open_session(session, Audience.CUSTOMER, credentials, days=1, now=clock.now())
        registration = await factories.add_registration(session, password_hash=await CountedHasher().hash(PASSWORD))
        place = await factories.add_saved_place(session, customer.id, name="Zoo")
        commute = await factories.add_commute(session, customer.id, metro, name="North")
        waiting = await factories.add_customer(session, has_licence=False, name="Pat")
        await factories.add_licence(session, waiting.id, state=LicenceState.PENDING, decided_at=None)
        car = await factories.add_vehicle(session, metro, VehicleType.CAR, plate="T-CAR", at=factories.FAR)
        reset = await factories.add_password_reset(session, customer)
        photo = await factories.add_photo(session, customer.id)
        card = await factories.add_payment_method(session, customer.id)
    known = {
        "notification": ids.encode(ids.NOTIFICATION, told.id),
        "metro": ids.encode(ids.METRO, metro.id),
        "zone": ids.encode(ids.ZONE, zone.id),
        "bike": ids.encode(ids.VEHICLE, bikes[0].published_id),
        "fleetBike": ids.encode(ids.FLEET_VEHICLE, bikes[1].id),
        "customer": ids.encode(ids.CUSTOMER, customer.id),
        "registrationToken": runtime.seals.seal(Purpose.EMAIL_VERIFICATION, registration.id),
        "commute": ids.encode(ids.COMMUTE, commute.id),
        "savedPlace": ids.encode(ids.SAVED_PLACE, place.id),
        "waiting": ids.encode(ids.CUSTOMER, waiting.id),
        "fleetCar": ids.encode(ids.FLEET_VEHICLE, car.id),
        "card": ids.encode(ids.PAYMENT_METHOD, card.id),
        "photo": ids.encode(ids.PHOTO, photo.id),
        "resetToken": runtime.seals.seal(Purpose.PASSWORD_RESET, reset.id),
    }
    people: dict[str, Actor | None] = {
        "nobody": None,
        "rider": factories.rider(customer),
        "dispatcher": dispatcher,
        "leaver": leaver.actor,
    }
    people["payer"], billed = await bills.add_bills(session_factory, clock, metro)
    known |= billed
    known |= await outings.add_outings(session_factory, clock, metro, people)
    known |= await complaints.add_complaints(session_factory, clock, metro, people)
    made = Scene(runtime, people, known)
    reserved = await _run(made, "rider", _RESERVE, {"id": known["bike"]})
    known["reservation"] = reserved["customer"]["reserveVehicle"]["reservation"]["id"]
    await _book_car(made)
    return made


_RESERVE = """
mutation($id: ID!) {
  customer {
    reserveVehicle(input: { vehicleId: $id, idempotencyKey: "scene", expectedMinutes: 10 }) {
      ... on ReserveVehicleSuccess { reservation { id } }
    }
  }
}
"""


async def _book_car(scene: Scene) -> None:
    """For a rider of its own."""
    async with scene.runtime.transaction() as session:
        scene.people["sam"] = await factories.add_rider(session)
    booked = await _run(scene, "sam", _BOOK, {"id": scene.ids["fleetCar"]})
    scene.ids["booking"] = booked["customer"]["reserveVehicle"]["reservation"]["id"]
    scene.ids["opsBooking"] = f"ops_{scene.ids['booking']}"


_BOOK = """
mutation($id: ID!) {
  customer {
    reserveVehicle(input: {
      vehicleId: $id, idempotencyKey: "scene", startsAt: "2026-11-22T08:30:00Z", endsAt: "2026-11-22T10:30:00Z"
    }) {
      ... on ReserveVehicleSuccess { reservation { id } }
    }
  }
}
"""


async def _run(scene: Scene, name: str, text: str, variables: dict[str, Any]) -> dict[str, Any]:
    context = Ctx(scene.runtime, scene.people[name], "127.0.0.1", "test")
    result = await SCHEMA.execute(text, variable_values=variables, context_value=context)
    assert result.errors is None
    assert result.data is not None
    return result.data


@contextmanager
def _counted(sessions: database.SessionFactory) -> Iterator[list[str]]:
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    engine = sessions.kw["bind"].sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _filled(value: Any, known: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, known) for name, inner in value.items()}
    return known[value[1:]] if isinstance(value, str) and value.startswith("$") else value


def _masked(value: Any) -> Any:
    """Ids by their prefix, links and cursors by what they are: they are new in every run."""
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if isinstance(value, str) and (found := _ID.match(value)):
        return f"<{found[1]}>"
    if isinstance(value, str) and (link := _LINK.match(value)):
        return f"{link[1]}<link>{link[2] or ''}"
    return "<cursor>" if isinstance(value, str) and _CURSOR.match(value) else value


@pytest.mark.parametrize("name", OPERATIONS)
async def test_the_operation_answers_as_written_in_as_few_statements(name: str, scene: Scene) -> None:
    path = FOLDER / f"{name}.json"
    expected = json.loads(path.read_text())
    with _counted(scene.runtime.sessions) as sent:
        text = (FOLDER / f"{name}.graphql").read_text()
        data = _masked(await _run(scene, expected["as"], text, _filled(expected["variables"], scene.ids)))
    if "data" not in expected:
        path.write_text(json.dumps({**expected, "statements": len(sent), "data": data}, indent=2, ensure_ascii=False) + "\n")
        pytest.fail(f"{path.name} was written: read it and run again")
    assert data == expected["data"]
    assert len(sent) == expected["statements"], "\n".join(sent)
