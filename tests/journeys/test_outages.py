"""Outages: the database goes away and comes back, and nobody has to lift a finger."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.journeys import clients, documents, riders, waiting
from tests.journeys.clients import Api
from tests.journeys.gate import Gate
from tests.live import Launcher, LiveServer

#: a pool that waits for a connection, or a connection that waits for an answer, gives up after a second
IMPATIENTLY: dict[str, Any] = {"NIMROD_DATABASE_TIMEOUT_SECONDS": "1"}
FAST_SECONDS = 15.0
RECOVERY_SECONDS = 20.0
TERMINATE = (
    "select count(pg_terminate_backend(pid)) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
)


@pytest.fixture
def gate(demo_database: str) -> Iterator[Gate]:
    gate = Gate(demo_database).open()
    yield gate
    gate.close()


async def _readiness(server: LiveServer, api: Api) -> tuple[int, dict[str, Any]]:
    answer = await api.http.get(f"{server.url}/health/ready")
    return answer.status_code, answer.json()["parts"]


async def test_losing_every_connection_costs_no_stream_an_event(demo_database: str, serve: Launcher) -> None:
    server = serve(demo_database, NIMROD_OFFLINE_TOKEN_DELAY_SECONDS="0.05")
    rider = Api(server.graphql_url, server.rider2_token)
    staff = Api(server.graphql_url, server.dispatcher_token)
    metro = await riders.watched_metro(staff)
    scooters = iter(await riders.free_vehicles(rider, "SCOOTER_STANDING"))
    async with clients.opened(server.ws_url, staff.token) as desk, riders.chatting(server) as chat:
        updates = await desk.follow(documents.DISPATCH_UPDATES, id=metro["id"], after=metro["cursor"])
        await chat.say(riders.BIKE_TO_MUSEUM)
        await chat.stream.until("TextDelta")
        outcomes: Counter[str] = Counter()
        for _ in range(5):
            assert riders.rows(demo_database, TERMINATE)[0][0] > 0
            for _ in range(4):
                outcomes[await _outcome(rider, next(scooters)["id"])] += 1
        assert set(outcomes) <= {"ReserveVehicleSuccess", "UNAVAILABLE"}, outcomes
        while (last := await _outcome(rider, next(scooters)["id"])) != "ReserveVehicleSuccess":
            assert last == "UNAVAILABLE"
        finished = await chat.stream.until("TurnFinished")
        assert finished["text"]
        logged = "select count(*) from event_log where topic = %(topic)s"
        assert len(chat.stream.seen) == riders.rows(demo_database, logged, topic=chat.topic)[0][0]
        made = riders.rows(demo_database, "select count(*) from reservations")[0][0]
        while len(updates.named("ReservationChanged")) < made:
            await updates.next()
    plates = [event["plate"] for event in updates.named("ReservationChanged")]
    assert len(set(plates)) == len(plates) == made


async def _outcome(rider: Api, vehicle_id: str) -> str:
    started = time.monotonic()
    answer = await rider.answer(documents.RESERVE, input={"vehicleId": vehicle_id, "idempotencyKey": vehicle_id})
    assert time.monotonic() - started < FAST_SECONDS
    if "errors" in answer:
        return str(answer["errors"][0]["extensions"]["code"])
    return str(answer["data"]["customer"]["reserveVehicle"]["__typename"])


# Connections are cut while they are being made: what the relay had of them is left to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("way", ["shut", "mute"])
async def test_an_outage_is_told_at_once_and_over_by_itself(
    gate: Gate, demo_database: str, serve: Launcher, way: str, record_property: Callable[[str, object], None]
) -> None:
    server = serve(gate.url, **IMPATIENTLY)
    api = Api(server.graphql_url, server.rider_token)
    vehicle = (await riders.free_vehicles(api, "BICYCLE"))[0]
    async with riders.chatting(server) as chat:
        await chat.ask(riders.BIKE_TO_MUSEUM)
        getattr(gate, way)()
        await _is_told(server, api, vehicle["id"])
        gate.reopen()
        seconds = await waiting.until(lambda: _is_ready(server, api), RECOVERY_SECONDS)
        record_property("recovery_seconds", seconds)
        print(f"ready {seconds:.1f} s after the database was back ({way})")  # noqa: T201 - shown with -s
        assert riders.rows(demo_database, "select count(*) from reservations") == [(0,)], "nothing was half-written"
        proposal = await chat.ask("Book a bike from the Harbour to the University")
        assert (await chat.decide(proposal))["__typename"] == "DecideProposalSuccess"
        assert len(chat.stream.named("TurnFinished")) == 2


async def _is_told(server: LiveServer, api: Api, vehicle_id: str) -> None:
    """Requests are refused with a code within seconds, readiness names the part, and the process stays alive."""
    asked: list[tuple[str, dict[str, Any]]] = [
        (documents.VIEWER, {}),
        (documents.RESERVE, {"input": {"vehicleId": vehicle_id, "idempotencyKey": "away"}}),
        (documents.SIGN_IN, {"input": {"email": "rider@nimrod.example", "password": "x"}}),
        *[(documents.METROS, {})] * 50,
    ]
    started = time.monotonic()
    codes = await asyncio.gather(*(api.code(document, **given) for document, given in asked))
    assert set(codes) == {"UNAVAILABLE"}
    assert time.monotonic() - started < FAST_SECONDS
    started = time.monotonic()
    assert await api.code(documents.VIEWER) == "UNAVAILABLE"
    assert time.monotonic() - started < FAST_SECONDS
    started = time.monotonic()
    status, parts = await _readiness(server, api)
    assert time.monotonic() - started < FAST_SECONDS
    assert status == 503
    assert parts["database"]["ok"] is False
    assert parts["database"]["reason"]
    alive = await api.http.get(f"{server.url}/health")
    assert (alive.status_code, alive.json()) == (200, {"ok": True})


async def _is_ready(server: LiveServer, api: Api) -> bool:
    return (await _readiness(server, api))[0] == 200
