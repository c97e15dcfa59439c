"""Trips over HTTP and WebSocket: from reserving to the receipt, for each kind of vehicle, and every refusal on the way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import httpx
import psycopg
import pytest
from PIL import Image

from app.gateways import payments as simulated
from app.terminal import pictures
from tests.journeys import clients, riders, rides, waiting
from tests.journeys.rides import Rider
from tests.live import LiveServer

#: a metro has its own; nowhere near it
FAR = {"lat": 48.0, "lon": 8.0}
#: as if the pause had passed after which a bank is asked again
ASK_AGAIN = "update payments set next_attempt_at = now() where asks is not null and customer_id = %s"


@pytest.fixture
async def rider(live_server: LiveServer) -> Rider:
    return await rides.rider_of(live_server)


@pytest.fixture
async def stranger(live_server: LiveServer) -> Rider:
    return await rides.rider_of(live_server)


async def settled(rider: Rider, receipt_id: str) -> dict[str, Any]:
    """The receipt once it is paid."""

    async def is_paid() -> bool:
        return bool((await rider.receipt(receipt_id))["owed"]["minorUnits"] == 0)

    await waiting.until(is_paid)
    return await rider.receipt(receipt_id)


async def downloaded(url: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        return await http.get(url)


@pytest.mark.parametrize("vehicle_type", ["SCOOTER_STANDING", "BICYCLE", "CAR", "VAN"])
async def test_a_ride_from_reserving_to_the_receipt(rider: Rider, vehicle_type: str) -> None:
    vehicle = await rider.vehicle(vehicle_type)
    now = datetime.now(UTC)
    window = {} if vehicle_type in ("SCOOTER_STANDING", "BICYCLE") else booked_from(now)
    reserved = await rider.do(rides.RESERVE, vehicleId=vehicle["id"], **window)
    assert reserved["__typename"] == "ReserveVehicleSuccess", reserved
    async with rider.following(reserved["cursor"]) as stream:
        unlocked = await rider.unlock(vehicle, reservationId=reserved["reservation"]["id"])
        trip_id = unlocked["trip"]["id"]
        begun = await rides.until(stream, "IN_USE")
        assert begun["runningPrice"]["minorUnits"] > 0
        await rider.do(rides.PAUSE, tripId=trip_id)
        await rides.until(stream, "PAUSED")
        await rider.do(rides.RESUME, tripId=trip_id)
        await rides.until(stream, "IN_USE")
        over = await rider.end(trip_id, vehicle, stream)
    assert (over["tripId"], over["endCause"]) == (trip_id, "RETURNED")
    receipt = await settled(rider, over["receiptId"])
    assert receipt["total"]["minorUnits"] == sum(line["amount"]["minorUnits"] for line in receipt["lines"])
    assert over["runningPrice"]["minorUnits"] == receipt["total"]["minorUnits"] > 0
    file = await downloaded(receipt["pdfUrl"])
    assert (file.status_code, file.headers["content-type"], file.content[:5]) == (200, "application/pdf", b"%PDF-")


def booked_from(now: datetime) -> dict[str, str]:
    return {"startsAt": now.isoformat(), "endsAt": (now + rides.HOUR).isoformat()}


async def test_nobody_rides_twice_at_a_time_and_no_act_fits_every_state(rider: Rider) -> None:
    async with rider.riding() as (trip_id, vehicle, stream):
        another = await rider.unlock(await rider.vehicle("SCOOTER_STANDING"))
        assert (another["__typename"], another["tripId"]) == ("TripOpenError", trip_id)
        for too_late in (rides.RESUME, rides.CANCEL):
            assert (await rider.do(too_late, tripId=trip_id))["__typename"] == "TripClosedError"
        await rider.end(trip_id, vehicle, stream)
    for act in (rides.PAUSE, rides.RESUME, rides.CANCEL):
        assert (await rider.do(act, tripId=trip_id))["__typename"] == "TripClosedError"
    assert (await rider.give_back(trip_id, vehicle))["__typename"] == "TripClosedError"


async def test_the_trip_reservation_and_photo_of_somebody_else_do_not_exist(rider: Rider, stranger: Rider) -> None:
    scooter = await rider.vehicle("SCOOTER_STANDING")
    held = (await rider.do(rides.RESERVE, vehicleId=scooter["id"]))["reservation"]["id"]
    assert (await stranger.unlock(scooter, reservationId=held))["__typename"] == "NotFoundError"
    assert (await stranger.unlock(scooter))["__typename"] == "VehicleUnavailableError"
    async with rider.riding() as (trip_id, vehicle, stream):
        for act in (rides.PAUSE, rides.RESUME, rides.CANCEL):
            assert (await stranger.do(act, tripId=trip_id))["__typename"] == "NotFoundError"
        fix = {"at": datetime.now(UTC).isoformat(), "position": vehicle["position"], "accuracyMeters": 5.0}
        recorded = await stranger.api.run(rides.RECORD, input={"tripId": trip_id, "positions": [fix]})
        assert recorded["__typename"] == "NotFoundError"
        assert (await stranger.give_back(trip_id, vehicle))["__typename"] == "NotFoundError"
        refused = await rider.give_back(trip_id, vehicle, photoId=await stranger.photo())
        assert (refused["__typename"], refused["refusals"]) == ("ReturnRefusedError", ["PHOTO_MISSING"])
        receipt_id = (await rider.end(trip_id, vehicle, stream))["receiptId"]
    assert (await stranger.api.answer(rides.RECEIPT, id=receipt_id))["data"]["customer"]["receipt"] is None


async def test_a_key_that_is_used_again_does_nothing_twice_and_never_something_else(rider: Rider) -> None:
    vehicle = await rider.vehicle("BICYCLE")
    async with rider.following() as stream:
        first, again = [await rider.unlock(vehicle, idempotencyKey="unlock") for _ in range(2)]
        assert first["trip"]["id"] == again["trip"]["id"]
        other = await rider.unlock(await rider.vehicle("SCOOTER_STANDING"), idempotencyKey="unlock")
        assert other["__typename"] == "IdempotencyConflictError"
        trip_id = first["trip"]["id"]
        await rides.until(stream, "IN_USE")
        for _ in range(2):
            assert (await rider.do(rides.PAUSE, tripId=trip_id, idempotencyKey="pause"))["__typename"] == "PauseTripSuccess"
        await rides.until(stream, "PAUSED")
        photo_id = await rider.photo()
        for _ in range(2):
            returned = await rider.give_back(trip_id, vehicle, photoId=photo_id, idempotencyKey="return")
            assert returned["__typename"] == "ReturnVehicleSuccess", returned
        elsewhere = await rider.give_back(trip_id, {**vehicle, "position": FAR}, photoId=photo_id, idempotencyKey="return")
        assert elsewhere["__typename"] == "IdempotencyConflictError"
        over = await rides.until(stream, "ENDED")
    await settled(rider, over["receiptId"])
    counts = (
        "select (select count(*) from receipts where trip_id = t.id), (select count(*) from trip_pauses where trip_id = t.id)"
    )
    found = riders.rows(rider.live.database_url, f"{counts} from trips t where t.customer_id = %(id)s", id=rider.id)
    assert found == [(1, 1)]


def large_picture() -> bytes:
    """40 megapixels in few bytes."""
    written = BytesIO()
    Image.new("1", (8000, 5000)).save(written, "PNG")
    return written.getvalue()


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"%PDF-1.7 this is no photo", 422), (b"", 422), (large_picture(), 422), (b"\xff" * (11 * 2**20), 413)],
    ids=["no photo", "nothing", "40 megapixels", "11 MiB"],
)
async def test_what_is_no_photo_that_can_be_kept_is_refused_and_the_link_takes_another(
    rider: Rider, content: bytes, status: int
) -> None:
    upload = (await rider.do(rides.UPLOAD, purpose="RETURN"))["upload"]
    refused = await rider.send(upload, content)
    assert refused.status_code == status, refused.text
    assert refused.json()["errors"][0]["message"]
    assert (await rider.send(upload, pictures.draw("CAR", "N-2"))).status_code == 201


async def test_a_return_is_refused_with_all_reasons_and_the_way_out_and_then_accepted(rider: Rider) -> None:
    async with rider.riding() as (trip_id, vehicle, stream):
        far = await rider.give_back(trip_id, {**vehicle, "position": FAR}, photoId=None)
        assert far["__typename"] == "ReturnRefusedError"
        assert far["refusals"] == ["PHOTO_MISSING", "OUTSIDE_METRO"]
        assert far["nearest"] is not None
        vague = await rider.give_back(trip_id, vehicle, accuracyMeters=500.0)
        assert vague["refusals"] == ["POSITION_VAGUE"]
        asked = (await rider.do(rides.UPLOAD, purpose="RETURN"))["upload"]["photoId"]
        assert (await rider.give_back(trip_id, vehicle, photoId=asked))["refusals"] == ["PHOTO_MISSING"], "never uploaded"
        unused = await rider.do(rides.UPLOAD, purpose="FAULT")
        await rider.send(unused["upload"], pictures.draw("BICYCLE", "N-3"))
        assert (await rider.give_back(trip_id, vehicle, photoId=unused["upload"]["photoId"]))["refusals"] == ["PHOTO_MISSING"]
        assert (await rider.give_back(trip_id, vehicle))["__typename"] == "ReturnVehicleSuccess"
        await rides.until(stream, "ENDED")


@pytest.mark.parametrize("vehicle_type", ["CAR", "VAN"])
async def test_a_car_is_left_at_a_charger_or_for_the_fine_that_was_shown(rider: Rider, vehicle_type: str) -> None:
    async with rider.riding(vehicle_type) as (trip_id, vehicle, stream):
        beside = {"lat": vehicle["position"]["lat"] + 0.002, "lon": vehicle["position"]["lon"]}
        refused = await rider.give_back(trip_id, {**vehicle, "position": beside})
        if refused["__typename"] == "ReturnVehicleSuccess":
            pytest.skip("another station is there")
        assert refused["refusals"] == ["NOT_AT_STATION"]
        assert refused["station"] is not None
        less = {**refused["fine"], "minorUnits": refused["fine"]["minorUnits"] - 1}
        again = await rider.give_back(trip_id, {**vehicle, "position": beside}, acceptedFine=less)
        assert again["__typename"] == "ReturnRefusedError"
        accepted = await rider.give_back(trip_id, {**vehicle, "position": beside}, acceptedFine=refused["fine"])
        assert accepted["__typename"] == "ReturnVehicleSuccess", accepted
        over = await rides.until(stream, "ENDED")
    receipt = await settled(rider, over["receiptId"])
    fines = [line["amount"]["minorUnits"] for line in receipt["lines"] if line["kind"] == "WRONG_PLACE"]
    assert fines == [refused["fine"]["minorUnits"]]


async def test_who_is_not_at_the_vehicle_does_not_unlock_it(rider: Rider) -> None:
    vehicle = await rider.vehicle("BICYCLE")
    refused = await rider.unlock({**vehicle, "position": FAR})
    assert (refused["__typename"], refused["issues"][0]["path"]) == ("InvalidInputError", ["vehicle", "nearby", "position"])
    no_tag = await rider.do(rides.UNLOCK, vehicle={"nfcToken": "none of ours"})
    assert no_tag["__typename"] == "NotFoundError"
    both = {"nearby": {"vehicleId": vehicle["id"], "position": vehicle["position"]}, "nfcToken": "a tag"}
    assert "errors" in await rider.api.answer(rides.UNLOCK, input={"vehicle": both, "idempotencyKey": rides.key()})


async def test_a_tag_unlocks_without_any_position(rider: Rider) -> None:
    vehicle = await rider.vehicle("BICYCLE")
    with psycopg.connect(rider.live.database_url) as connection:
        found = connection.execute("select nfc_token from vehicles where plate = %s", (vehicle["plate"],)).fetchone()
    assert found is not None
    async with rider.following() as stream:
        unlocked = await rider.do(rides.UNLOCK, vehicle={"nfcToken": found[0]})
        await rides.until(stream, "IN_USE")
        assert (await rider.give_back(unlocked["trip"]["id"], vehicle))["__typename"] == "ReturnVehicleSuccess"
        await rides.until(stream, "ENDED")


async def test_a_track_goes_on_past_jumps_and_takes_nothing_from_the_future_or_from_before_the_ride(rider: Rider) -> None:
    async with rider.riding() as (trip_id, vehicle, stream):
        at = datetime.now(UTC)

        def fix(seconds: float, north: float) -> dict[str, Any]:
            position = {"lat": vehicle["position"]["lat"] + north, "lon": vehicle["position"]["lon"]}
            return {"at": (at + timedelta(seconds=seconds)).isoformat(), "position": position, "accuracyMeters": 5.0}

        async def recorded(*fixes: dict[str, Any]) -> dict[str, Any]:
            answer: dict[str, Any] = await rider.api.run(rides.RECORD, input={"tripId": trip_id, "positions": list(fixes)})
            return answer

        done = await recorded(fix(0, 0), fix(0.001, 0.5))
        assert (done["__typename"], done["trip"]["distanceMeters"]) == ("RecordTripPositionsSuccess", 0), "a jump"
        assert (await recorded(fix(0, 0)))["trip"]["distanceMeters"] == 0, "told again"
        for wrong in (fix(3600, 0), fix(-3600, 0)):
            assert (await recorded(wrong))["__typename"] == "InvalidInputError"
        assert (await recorded(*[fix(0, 0)] * 101))["__typename"] == "InvalidInputError"
        await rider.end(trip_id, vehicle, stream)


async def test_without_a_card_nothing_is_unlocked(live_server: LiveServer) -> None:
    rider = await rides.rider_of(live_server, card=None)
    assert (await rider.unlock(await rider.vehicle("BICYCLE")))["__typename"] == "PaymentMethodRequiredError"


async def test_without_a_licence_no_car_is_unlocked(live_server: LiveServer) -> None:
    rider = await rides.rider_of(live_server, has_licence=False)
    assert (await rider.unlock(await rider.vehicle("CAR")))["__typename"] == "DrivingLicenceRequiredError"


async def test_a_deposit_that_is_declined_opens_nothing_and_costs_nothing(live_server: LiveServer) -> None:
    rider = await rides.rider_of(live_server, card=simulated.DECLINED_LATER)
    async with rider.following() as stream:
        unlocked = await rider.unlock(await rider.vehicle("CAR"))
        assert unlocked["trip"]["awaits"] == "AUTHORIZATION", unlocked
        over = await stream.until("OwnTripChanged", where=lambda event: event["state"] == "CANCELLED")
    assert (over["endCause"], over["receiptId"]) == ("AUTHORIZATION_DECLINED", None)
    assert riders.rows(live_server.database_url, "select id from receipts where customer_id = %(id)s", id=rider.id) == []


async def test_who_owes_a_ride_begins_no_other(live_server: LiveServer) -> None:
    rider = await rides.rider_of(live_server, card=simulated.DECLINED_LATER)
    async with rider.riding() as (trip_id, vehicle, stream):
        receipt_id = (await rider.end(trip_id, vehicle, stream))["receiptId"]

    async def is_overdue() -> bool:
        return bool((await rider.receipt(receipt_id))["isOverdue"])

    await waiting.until(is_overdue)
    refused = await rider.unlock(await rider.vehicle("BICYCLE"))
    assert (refused["__typename"], refused["receiptIds"]) == ("DebtOpenError", [receipt_id])
    assert refused["owed"]["minorUnits"] == (await rider.receipt(receipt_id))["total"]["minorUnits"]


@pytest.mark.parametrize("card", [simulated.LATE, simulated.SILENT])
async def test_a_bank_that_answers_late_or_not_is_asked_again_and_takes_the_money_once(
    live_server: LiveServer, card: str
) -> None:
    rider = await rides.rider_of(live_server, card=card)
    async with rider.riding() as (trip_id, vehicle, stream):
        receipt_id = (await rider.end(trip_id, vehicle, stream))["receiptId"]

    async def is_paid() -> bool:
        with psycopg.connect(live_server.database_url) as connection:
            connection.execute(ASK_AGAIN, (rider.id,))
        return bool((await rider.receipt(receipt_id))["owed"]["minorUnits"] == 0)

    await waiting.until(is_paid)
    taken = "select state, captured_minor from payments where customer_id = %(id)s"
    total = (await rider.receipt(receipt_id))["total"]["minorUnits"]
    assert riders.rows(live_server.database_url, taken, id=rider.id) == [("succeeded", total)]


async def test_a_stream_of_trips_goes_on_where_it_was_left(rider: Rider) -> None:
    async with rider.riding() as (trip_id, vehicle, stream):
        cursor = stream.cursor
        await rider.do(rides.PAUSE, tripId=trip_id)
        await rides.until(stream, "PAUSED")
        after = [event["cursor"] for event in stream.seen]
        async with clients.opened(rider.live.ws_url, rider.api.token) as socket:
            resumed = await socket.follow(rides.CHANGES, after=cursor)
            await rides.until(resumed, "PAUSED")
            assert [event["cursor"] for event in resumed.seen] == after[after.index(cursor) + 1 :]
        await rider.end(trip_id, vehicle, stream)
