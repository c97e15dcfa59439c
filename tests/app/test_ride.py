"""Riding from the terminal: the whole way from looking for a vehicle to a receipt on paper."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from app.cli import cli
from app.gateways.payments import DECLINED_LATER
from app.terminal import files, pictures
from app.terminal.client import ClientError
from app.terminal.trip import Trip, between, meters
from tests import live
from tests.journeys import rides
from tests.live import LiveServer

#: the shortest ride that is one
QUICK = ("--speed", "100")


def ride(server: LiveServer, *arguments: str, token: str) -> Result:
    """The command inside this process, against the live server."""
    env = {"NIMROD_TOKEN": token, "COLUMNS": "120"}
    return CliRunner().invoke(cli, ["ride", "--url", server.graphql_url, *QUICK, *arguments], env=env)


def rider(server: LiveServer, **given: str | None) -> rides.Rider:
    return asyncio.run(rides.rider_of(server, **given))


def test_a_demo_rider_rides_a_scooter_to_a_receipt(live_server: LiveServer, tmp_path: Path) -> None:
    file = tmp_path / "receipt.pdf"
    arguments = ("--from", "Central Station", "--pause", "0.5", "--receipt", str(file))
    env = live_server.environment(COLUMNS="120")
    done = live.run("ride", "--url", live_server.graphql_url, *QUICK, *arguments, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    for shown in ("from Central Station", "Paused for 0.5 s.", "Arrived at", "The trip is over: returned.", "Paid.", "unlock"):
        assert shown in done.stdout
    assert re.search(r"Receipt DE-\d{4}-\d{6}", done.stdout)
    assert file.read_bytes().startswith(b"%PDF-")


@pytest.mark.parametrize("kind", ["bike", "car", "van"])
def test_every_kind_of_vehicle_is_ridden(live_server: LiveServer, kind: str) -> None:
    done = ride(live_server, "--vehicle-type", kind, token=rider(live_server).api.token or "")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert "Paid." in done.stdout


def test_a_trip_that_is_open_already_goes_on(live_server: LiveServer) -> None:
    somebody = rider(live_server)

    async def set_out() -> str:
        async with somebody.riding() as (trip_id, vehicle, stream):
            await somebody.do(rides.PAUSE, tripId=trip_id)
            await rides.until(stream, "PAUSED")
            return str(vehicle["plate"])

    plate = asyncio.run(set_out())
    done = ride(live_server, token=somebody.api.token or "")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert f"There is a trip already, on {plate}: going on with it." in done.stdout


@pytest.mark.parametrize(
    ("given", "arguments", "refusal"),
    [
        ({"card": None}, (), "PaymentMethodRequiredError"),
        ({"card": DECLINED_LATER}, ("--vehicle-type", "car"), "authorization declined"),
        ({}, ("--from", "Nowhere at all"), "There is no place called Nowhere at all."),
    ],
    ids=["no card", "a deposit that is declined", "no such place"],
)
def test_what_stops_a_ride_is_said_in_one_line(
    live_server: LiveServer, given: dict[str, str | None], arguments: tuple[str, ...], refusal: str
) -> None:
    done = ride(live_server, *arguments, token=rider(live_server, **given).api.token or "")
    assert done.exit_code == 1
    (line,) = done.stderr.strip().splitlines()
    assert refusal in line


def test_a_refused_upload_says_why(live_server: LiveServer) -> None:
    somebody = rider(live_server)

    async def send() -> None:
        upload = (await somebody.do(rides.UPLOAD, purpose="RETURN"))["upload"]
        async with files.Files(live_server.graphql_url) as sending:
            await sending.upload(upload["url"], b"no photo")

    with pytest.raises(ClientError, match="answers 422"):
        asyncio.run(send())


def test_a_link_to_this_machine_leads_to_the_server_that_gave_it() -> None:
    link = "http://127.0.0.1:8000/photos/x?y=z"
    assert files.reached(link, "https://nimrod.example/graphql") == "https://nimrod.example/photos/x?y=z"
    assert files.reached("https://files.example/x", "http://127.0.0.1:8000/graphql") == "https://files.example/x"
    assert files.reached("/receipts/x.pdf", "ws://10.0.0.1:8000/graphql") == "http://10.0.0.1:8000/receipts/x.pdf"


def test_a_trip_takes_its_own_changes_alone_and_never_speaks_of_the_future() -> None:
    trip = Trip("trip_1")
    change: dict[str, Any] = {
        "__typename": "OwnTripChanged", "tripId": "trip_1", "state": "ENDED", "awaits": None, "endCause": "RETURNED",
        "receiptId": "receipt_1", "refusals": [], "at": "2026-11-21T08:30:00+00:00",
    }  # fmt: skip
    assert not trip.apply({**change, "tripId": "trip_2"})
    assert not trip.apply({"__typename": "FromALaterVersion"})
    assert trip.apply(change)
    assert (trip.state, trip.end_cause, trip.receipt_id) == ("ENDED", "RETURNED", "receipt_1")
    assert abs(trip.now().timestamp() - 1795249800) < 60, "by the clock of the service, a little before"
    with pytest.raises(ClientError, match="history of the trip is gone"):
        trip.apply({"__typename": "ResyncRequired", "reason": "too old"})


def test_a_line_is_as_long_as_its_parts() -> None:
    start, end = {"lat": 49.40, "lon": 8.67}, {"lat": 49.41, "lon": 8.68}
    assert meters(start, end) == pytest.approx(1_326, abs=10)
    assert meters(start, between(start, end, 0.25)) == pytest.approx(meters(start, end) / 4, rel=0.001)


@pytest.mark.parametrize("kind", ["SCOOTER_STANDING", "BICYCLE", "CAR", "VAN"])
def test_a_drawn_photo_is_a_jpeg(kind: str) -> None:
    assert pictures.draw(kind, "N-1").startswith(b"\xff\xd8\xff")
