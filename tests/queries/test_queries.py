"""Operations beside their expected answers, with the number of statements that each sends to the database.

`name.graphql` is run as `name.json` says: by whom, with which variables. A missing expectation is written once and
fails, so that somebody reads it.
"""

from __future__ import annotations

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
from domain import ids
from domain.actor import Actor
from domain.values import VehicleType
from resolvers.context import Ctx, Runtime
from resolvers.streams import Feed
from schema import build
from tests import factories
from tests.conftest import FixedClock

FOLDER = Path(__file__).parent
OPERATIONS = sorted(path.stem for path in FOLDER.glob("*.graphql"))
SCHEMA = build.build()
_ID = re.compile(r"^([a-z_]+)_[0-7][0-9a-z]{25}$")
_CURSOR = re.compile(r"^[A-Za-z0-9_-]{30,80}$")


@dataclass
class Scene:
    runtime: Runtime
    people: dict[str, Actor | None]
    ids: dict[str, str]


@pytest.fixture
async def scene(session_factory: database.SessionFactory, clock: FixedClock) -> Scene:
    settings = Settings(signing_key="k" * 32)
    doorbell = Doorbell.at("memory://", "")
    tokens = AccessTokens(settings.secret(), clock, minutes=5)
    runtime = build_runtime(settings, session_factory, tokens, Feed(session_factory, doorbell), clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session, name="Testville", is_default=True)
        for kind in VehicleType:
            await factories.add_tariff(session, metro, kind)
        station = await factories.add_station(session, metro, "Central")
        await factories.add_station(session, metro, "Depot", lat=factories.CENTER.lat + 0.001, is_charging_station=False)
        await factories.add_place(session, metro, "Museum")
        bikes = [await factories.add_vehicle(session, metro, plate=f"T-{n}", station_id=station.id) for n in range(3)]
        customer = await factories.add_customer(session, email="robin@example.org", name="Robin")
        dispatcher = await factories.add_member(session)
    known = {
        "metro": ids.encode(ids.METRO, metro.id),
        "bike": ids.encode(ids.VEHICLE, bikes[0].published_id),
        "fleetBike": ids.encode(ids.FLEET_VEHICLE, bikes[1].id),
        "customer": ids.encode(ids.CUSTOMER, customer.id),
    }
    people = {"nobody": None, "rider": factories.rider(customer), "dispatcher": dispatcher}
    made = Scene(runtime, people, known)
    reserved = await _run(made, "rider", _RESERVE, {"id": known["bike"]})
    known["reservation"] = reserved["customer"]["reserveVehicle"]["reservation"]["id"]
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
    """Ids by their prefix and cursors by what they are: they are new in every run."""
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_masked(inner) for inner in value]
    if isinstance(value, str) and (found := _ID.match(value)):
        return f"<{found[1]}>"
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
