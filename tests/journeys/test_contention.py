"""Contention: many who want the same thing at the same time."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from app import demo
from domain import ids
from tests.journeys import documents, riders
from tests.journeys.clients import Api
from tests.journeys.hosting import hosted
from tests.live import LiveServer

MANY = 200


@pytest.mark.parametrize("vehicle_type", ["BICYCLE", "CAR"])
async def test_of_200_who_reserve_one_vehicle_for_one_time_exactly_one_gets_it(
    live_server: LiveServer, vehicle_type: str, record_property: Callable[[str, object], None]
) -> None:
    api = Api(live_server.graphql_url, live_server.rider_token)
    vehicle = (await riders.free_vehicles(api, vehicle_type))[-1]
    begin = datetime.now(UTC) + timedelta(minutes=5)
    window = {"startsAt": begin.isoformat()}
    if vehicle_type == "CAR":
        window["endsAt"] = (begin + timedelta(hours=2)).isoformat()
    started = time.perf_counter()
    answers = await asyncio.gather(*(riders.reserve(api, vehicle["id"], **window) for _ in range(MANY)))
    record_property("seconds", time.perf_counter() - started)
    print(f"{MANY} reservations of one {vehicle_type}: {time.perf_counter() - started:.2f} s")  # noqa: T201 - shown with -s
    kinds = Counter(answer["__typename"] for answer in answers)
    assert kinds == {"ReserveVehicleSuccess": 1, "VehicleUnavailableError": MANY - 1}
    for answer in answers:
        if answer["__typename"] == "VehicleUnavailableError":
            others = answer["alternatives"]
            assert 1 <= len(others) <= 3
            assert vehicle["id"] not in {other["id"] for other in others}
            assert {other["vehicleType"] for other in others} == {vehicle_type}
    count = "select count(*) from reservations where published_vehicle_id = %(id)s and state = 'confirmed'"
    assert riders.rows(live_server.database_url, count, id=ids.decode(vehicle["id"], ids.VEHICLE)) == [(1,)]
    keys = "select count(*) from idempotency_keys where result_id = %(id)s"
    (success,) = (answer for answer in answers if answer["__typename"] == "ReserveVehicleSuccess")
    made = ids.decode(success["reservation"]["id"], ids.RESERVATION)
    assert riders.rows(live_server.database_url, keys, id=made) == [(1,)], "a refusal leaves no key"


async def test_of_50_with_one_key_all_get_the_one_reservation(live_server: LiveServer) -> None:
    api = Api(live_server.graphql_url, live_server.rider_token)
    vehicle = (await riders.free_vehicles(api, "SCOOTER_STANDING"))[-1]
    given = {"vehicleId": vehicle["id"], "idempotencyKey": "one wish", "startsAt": datetime.now(UTC).isoformat()}
    answers = await asyncio.gather(*(api.run(documents.RESERVE, input=given) for _ in range(50)))
    assert {answer["__typename"] for answer in answers} == {"ReserveVehicleSuccess"}
    assert len({answer["reservation"]["id"] for answer in answers}) == 1


async def test_the_sixth_sign_in_within_a_minute_is_refused_with_the_time_to_wait(live_server: LiveServer) -> None:
    async with hosted(live_server) as url:
        await _sign_in_six_times(Api(f"{url}/graphql"))


async def _sign_in_six_times(api: Api) -> None:
    wrong = {"email": "rider@nimrod.example", "password": "wrong"}
    for _ in range(5):
        assert (await api.run(documents.SIGN_IN, input=wrong))["__typename"] == "InvalidCredentialsError"
    right = {"email": "rider@nimrod.example", "password": demo.PASSWORD}
    refused = await api.answer(documents.SIGN_IN, input=right)
    assert refused["data"] == {"customer": {"signIn": None}}
    (error,) = refused["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 1 <= error["extensions"]["retryAfterSeconds"] <= 60
    assert str(error["extensions"]["retryAfterSeconds"]) in error["message"]
