"""The life of a rider, over HTTP and WebSocket: from registering to being forgotten, and every refusal on the way."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from domain import ids
from tests.journeys import clients, documents, newcomers, riders, waiting
from tests.journeys.clients import Api, Stream
from tests.journeys.newcomers import PASSWORD, Newcomer, act
from tests.live import LiveServer

RESERVE = act("reserveVehicle", "reservation { id state cancellation { freeUntil fee { minorUnits currency } } }")
CHANGE = act("changeReservation", "reservation { id startsAt endsAt }")
EXTEND = act("extendReservation", "reservation { endsAt }", "... on VehicleUnavailableError { freeUntil }")
CANCEL = act("cancelReservation", "reservation { state }", "... on CancellationFeeError { fee { minorUnits currency } }")
SETTLE = act("settleCancellationFee", namespace="ops")
ENROLL, CONFIRM = act("enrollSecondFactor", "secret"), act("confirmSecondFactor", "recoveryCodes")
DISABLE = act("disableSecondFactor")
REQUEST_RESET, RESET = act("requestPasswordReset"), act("resetPassword")
EXPORT = act("requestDataExport", "export { id state }")
ERASE = act("eraseAccount", "", "... on ErasureBlockedError { reasons { code } }")
DOWNLOAD = "query($id: ID!) { customer { export(id: $id) { state downloadUrl sizeBytes } } }"
SEARCH = """query($metroId: ID!, $near: LatLngInput!, $window: BookingWindowInput!, $to: LatLngInput!) { customer {
  vehicles(metroId: $metroId, area: { near: { center: $near, radiusMeters: 5000 } }, types: [CAR], window: $window, first: 5) {
    nodes { id estimate(destination: $to) { distanceMeters isReachable price { minorUnits } } } } } }"""
NOTIFICATIONS = """subscription($after: String) { customerNotifications(after: $after) { __typename
  ... on StreamEvent { cursor } ... on NotificationReceived { notification { kind title body } } } }"""
OVERDUE = "update reservations set cancel_free_until = now() - interval '1 s' where id = %s"
LISTED = "{ customer { reservations { nodes { id state } } } }"


def soon(**later: float) -> str:
    return (datetime.now(UTC).replace(microsecond=0) + timedelta(**later)).isoformat()


def key() -> str:
    return uuid4().hex


async def free_car(rider: Newcomer, **window: Any) -> dict[str, Any]:
    metro = await riders.default_metro(rider.api)
    destination = {"lat": metro["center"]["lat"] + 0.01, "lon": metro["center"]["lon"]}
    found = await rider.api.run(SEARCH, metroId=metro["id"], near=metro["center"], window=window, to=destination)
    vehicle: dict[str, Any] = found["nodes"][hash(rider.email) % len(found["nodes"])]
    return vehicle


async def booked(rider: Newcomer, **later: float) -> tuple[str, dict[str, Any]]:
    """A car, an hour long, from then; its reservation."""
    window = {"startsAt": soon(**later), "endsAt": soon(**{**later, "minutes": later.get("minutes", 0) + 60})}
    car = await free_car(rider, **window)
    made = await rider.do(RESERVE, vehicleId=car["id"], idempotencyKey=key(), **window)
    assert made["__typename"] == "ReserveVehicleSuccess", made
    return car["id"], made["reservation"]


async def told(stream: Stream, kind: str) -> dict[str, Any]:
    event = await stream.until("NotificationReceived", where=lambda one: one["notification"]["kind"] == kind)
    shown: dict[str, Any] = event["notification"]
    return shown


async def test_a_rider_lives_through_all_of_it(live_server: LiveServer) -> None:
    rider = Newcomer(live_server)
    assert (await rider.register())["__typename"] == "RegisterSuccess"
    assert (await rider.sign_in())["__typename"] == "InvalidCredentialsError"
    await rider.verify()
    secret = await _with_a_second_factor(rider)
    cursor = (await rider.api.run(documents.VIEWER))["cursor"]
    async with clients.opened(live_server.ws_url, rider.token) as socket:
        changes = await socket.follow(documents.OWN_RESERVATIONS, after=cursor)
        news = await socket.follow(NOTIFICATIONS, after=cursor)
        await rider.may_drive()
        assert (await told(news, "LICENCE_DECIDED"))["title"]
        reservation = await _reserved_and_moved(rider, changes)
        await _cancelled_for_a_fee(rider, reservation, changes)
        archive = await _exported(rider, news)
        assert rider.email in archive["customers.json"]
        assert reservation_uuid(reservation) in archive["reservations.json"]
        await _erased(rider, reservation)
        assert (await clients.closing(socket.connection))[0] == 4403
    assert (await rider.sign_in(secondFactorCode=newcomers.code_of(secret, steps_ahead=1)))["__typename"] == (
        "InvalidCredentialsError"
    )


def reservation_uuid(reservation_id: str) -> str:
    return str(ids.decode(reservation_id, ids.RESERVATION))


async def _with_a_second_factor(rider: Newcomer) -> str:
    secret = str((await rider.do(ENROLL, currentPassword=PASSWORD))["secret"])
    confirmed = await rider.do(CONFIRM, code=newcomers.code_of(secret))
    assert len(confirmed["recoveryCodes"]) == 10, confirmed
    assert (await rider.sign_in())["__typename"] == "SecondFactorRequiredError"
    signed_in = await rider.sign_in(secondFactorCode=newcomers.code_of(secret, steps_ahead=1))
    assert signed_in["__typename"] == "SignInSuccess", signed_in
    return secret


async def _reserved_and_moved(rider: Newcomer, changes: Stream) -> str:
    _, reservation = await booked(rider, hours=30)
    assert reservation["cancellation"]["fee"]["minorUnits"] == 0
    made = await changes.until("OwnReservationChanged")
    assert (made["reservationId"], made["state"]) == (reservation["id"], "CONFIRMED")
    window = {"startsAt": soon(minutes=20), "endsAt": soon(minutes=80)}
    changed = await rider.do(CHANGE, reservationId=reservation["id"], idempotencyKey=key(), **window)
    assert changed["__typename"] == "ChangeReservationSuccess", changed
    assert instant((await changes.until("OwnReservationChanged"))["startsAt"]) == instant(window["startsAt"])
    extended = await rider.do(EXTEND, reservationId=reservation["id"], endsAt=soon(minutes=110), idempotencyKey=key())
    assert extended["__typename"] == "ExtendReservationSuccess", extended
    assert instant((await changes.until("OwnReservationChanged"))["endsAt"]) == instant(extended["reservation"]["endsAt"])
    return str(reservation["id"])


def instant(written: str) -> datetime:
    return datetime.fromisoformat(written)


def _overdue(live: LiveServer, reservation_id: str) -> None:
    """As if the time had passed in which cancelling is free."""
    with psycopg.connect(live.database_url) as connection:
        connection.execute(OVERDUE, (ids.decode(reservation_id, ids.RESERVATION),))


async def _cancelled_for_a_fee(rider: Newcomer, reservation_id: str, changes: Stream) -> None:
    _overdue(rider.live, reservation_id)
    refused = await rider.do(CANCEL, reservationId=reservation_id, idempotencyKey=key())
    assert refused["__typename"] == "CancellationFeeError", refused
    assert refused["fee"]["minorUnits"] > 0
    cancelled = await rider.do(CANCEL, reservationId=reservation_id, acceptedFee=refused["fee"], idempotencyKey=key())
    assert cancelled["reservation"]["state"] == "CANCELLED", cancelled
    assert (await changes.until("OwnReservationChanged"))["state"] == "CANCELLED"


async def _exported(rider: Newcomer, news: Stream) -> dict[str, str]:
    asked = await rider.do(EXPORT, idempotencyKey=key())
    assert asked["__typename"] == "RequestDataExportSuccess", asked
    await told(news, "EXPORT_READY")
    ready = await rider.api.run(DOWNLOAD, id=asked["export"]["id"])
    path = httpx.URL(ready["downloadUrl"]).path
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        answer = await http.get(rider.live.url + path)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    for name, text in found.items():
        if name.endswith(".json"):
            json.loads(text)
    return found


async def _erased(rider: Newcomer, reservation_id: str) -> None:
    blocked = await rider.do(ERASE, password=PASSWORD, idempotencyKey=key())
    assert blocked["__typename"] == "ErasureBlockedError", blocked
    assert len(blocked["reasons"]) == 1
    await settle(rider.live, reservation_id)
    erased = await rider.do(ERASE, password=PASSWORD, idempotencyKey=key())
    assert erased["__typename"] == "EraseAccountSuccess", erased


async def settle(live: LiveServer, reservation_id: str) -> None:
    staff = Api(live.graphql_url, live.dispatcher_token)
    ops_id = ids.encode(ids.OPS_RESERVATION, ids.decode(reservation_id, ids.RESERVATION))
    settled = await staff.run(SETTLE, input={"reservationId": ops_id, "settlement": "PAID", "idempotencyKey": key()})
    assert settled["__typename"] == "SettleCancellationFeeSuccess", settled


@pytest.fixture
async def rider(live_server: LiveServer) -> Newcomer:
    return await newcomers.arrived(live_server)


async def test_who_registers_with_the_address_of_an_account_hears_the_same_and_its_owner_is_told(rider: Newcomer) -> None:
    stranger = Newcomer(rider.live, email=rider.email)
    answer = await stranger.register(name="Somebody Else", password="another password")
    assert answer["__typename"] == "RegisterSuccess"

    async def owner_is_told() -> bool:
        return bool(await rider.mails("ACCOUNT_EXISTS"))

    await waiting.until(owner_is_told)
    assert len(await rider.mails("EMAIL_VERIFICATION")) == 1
    assert (await stranger.sign_in(password="another password"))["__typename"] == "InvalidCredentialsError"


async def test_a_link_verifies_once(live_server: LiveServer) -> None:
    newcomer = Newcomer(live_server)
    await newcomer.register()
    token = await newcomer.link_of("EMAIL_VERIFICATION")
    assert (await newcomer.do(newcomers.VERIFY, token=token, password=PASSWORD))["__typename"] == "VerifyEmailSuccess"
    assert (await newcomer.do(newcomers.VERIFY, token=token, password=PASSWORD))["__typename"] == "LinkExpiredError"
    assert (await newcomer.do(newcomers.VERIFY, token=token[::-1], password=PASSWORD))["__typename"] == "LinkExpiredError"


async def test_who_has_not_accepted_the_terms_or_takes_a_short_password_is_told_both(live_server: LiveServer) -> None:
    refused = await Newcomer(live_server).register(password="short", hasAcceptedTerms=False)
    assert refused["__typename"] == "InvalidInputError"
    assert {issue["path"][0] for issue in refused["issues"]} == {"password", "hasAcceptedTerms"}


async def test_a_forgotten_password_is_set_anew_and_sends_everybody_else_away(rider: Newcomer) -> None:
    nobody = Newcomer(rider.live)
    asked = [await one.do(REQUEST_RESET, email=one.email) for one in (rider, nobody)]
    assert asked[0] == asked[1]
    token = await rider.link_of("PASSWORD_RESET")
    assert (await rider.do(RESET, token=token, newPassword="a new password"))["__typename"] == "ResetPasswordSuccess"
    assert (await rider.do(RESET, token=token, newPassword="yet another one"))["__typename"] == "LinkExpiredError"
    assert (await rider.sign_in())["__typename"] == "InvalidCredentialsError"
    assert (await rider.sign_in(password="a new password"))["__typename"] == "SignInSuccess"


async def test_a_code_of_the_second_factor_works_once_and_a_wrong_one_never(rider: Newcomer) -> None:
    secret = await _with_a_second_factor(rider)
    spent = newcomers.code_of(secret, steps_ahead=1)
    assert (await rider.sign_in(secondFactorCode=spent))["__typename"] == "InvalidSecondFactorError"
    assert (await rider.sign_in(password="wrong", secondFactorCode=spent))["__typename"] == "InvalidCredentialsError"
    assert (await rider.do(DISABLE, currentPassword=PASSWORD, code="000000"))["__typename"] == "InvalidSecondFactorError"


async def test_a_car_is_not_for_who_has_no_licence(rider: Newcomer) -> None:
    window = {"startsAt": soon(hours=3), "endsAt": soon(hours=4)}
    car = await free_car(rider, **window)
    refused = await rider.do(RESERVE, vehicleId=car["id"], idempotencyKey=key(), **window)
    assert refused["__typename"] == "DrivingLicenceRequiredError", refused
    assert await rider.api.run(LISTED) == {"nodes": []}


async def test_what_belongs_to_another_rider_does_not_exist(live_server: LiveServer, rider: Newcomer) -> None:
    owner = Api(live_server.graphql_url, live_server.rider2_token)
    bike = (await riders.free_vehicles(owner, "BICYCLE"))[7]
    held = (await riders.reserve(owner, bike["id"]))["reservation"]["id"]
    for document, given in (
        (CANCEL, {}),
        (CHANGE, {"startsAt": soon(minutes=5)}),
        (EXTEND, {"endsAt": soon(hours=5)}),
    ):
        answer = await rider.do(document, reservationId=held, idempotencyKey=key(), **given)
        assert answer["__typename"] == "NotFoundError", answer
    assert (await owner.run(CANCEL, input={"reservationId": held, "idempotencyKey": key()}))["reservation"][
        "state"
    ] == "CANCELLED"


async def test_the_same_key_acts_once_and_refuses_other_input(rider: Newcomer) -> None:
    await rider.may_drive()
    _, reservation = await booked(rider, hours=20)
    again = key()
    given = {"reservationId": reservation["id"], "idempotencyKey": again}
    extended = await rider.do(EXTEND, endsAt=soon(hours=22), **given)
    assert await rider.do(EXTEND, endsAt=extended["reservation"]["endsAt"], **given) == extended
    assert (await rider.do(EXTEND, endsAt=soon(hours=23), **given))["__typename"] == "IdempotencyConflictError"


async def test_a_reservation_that_is_cancelled_moves_no_more(rider: Newcomer) -> None:
    bike = (await riders.free_vehicles(rider.api, "BICYCLE"))[9]
    held = (await rider.do(RESERVE, vehicleId=bike["id"], idempotencyKey=key()))["reservation"]["id"]
    assert (await rider.do(EXTEND, reservationId=held, endsAt=soon(hours=5), idempotencyKey=key()))["__typename"] == (
        "InvalidInputError"
    )
    assert (await rider.do(CANCEL, reservationId=held, idempotencyKey=key()))["reservation"]["state"] == "CANCELLED"
    for document, given in ((CANCEL, {}), (CHANGE, {"startsAt": soon(minutes=5)})):
        answer = await rider.do(document, reservationId=held, idempotencyKey=key(), **given)
        assert answer["__typename"] == "ReservationClosedError", answer


async def test_a_booking_is_not_extended_into_the_next_one_and_names_what_is_free(
    live_server: LiveServer, rider: Newcomer
) -> None:
    await rider.may_drive()
    car, reservation = await booked(rider, hours=40)
    other = await newcomers.arrived(live_server)
    await other.may_drive()
    window = {"startsAt": soon(hours=43), "endsAt": soon(hours=44)}
    assert (await other.do(RESERVE, vehicleId=car, idempotencyKey=key(), **window))["__typename"] == "ReserveVehicleSuccess"
    refused = await rider.do(EXTEND, reservationId=reservation["id"], endsAt=soon(hours=45), idempotencyKey=key())
    assert refused["__typename"] == "VehicleUnavailableError", refused
    assert instant(refused["freeUntil"]) == instant(window["startsAt"])


async def test_nobody_pays_another_fee_than_the_one_that_was_shown(rider: Newcomer) -> None:
    await rider.may_drive()
    _, reservation = await booked(rider, minutes=15)
    _overdue(rider.live, reservation["id"])
    given = {"reservationId": reservation["id"]}
    shown = await rider.do(CANCEL, idempotencyKey=key(), **given)
    wrong = {**shown["fee"], "minorUnits": shown["fee"]["minorUnits"] + 1}
    assert (await rider.do(CANCEL, acceptedFee=wrong, idempotencyKey=key(), **given))["__typename"] == "CancellationFeeError"
    assert (await rider.api.run(LISTED))["nodes"][0]["state"] == "CONFIRMED"


async def test_one_archive_is_built_at_a_time_and_its_link_opens_nothing_else(rider: Newcomer) -> None:
    first = await rider.do(EXPORT, idempotencyKey=key())
    assert first["__typename"] == "RequestDataExportSuccess", first
    second = await rider.do(EXPORT, idempotencyKey=key())
    assert second["__typename"] in ("ExportInProgressError", "RequestDataExportSuccess")
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{rider.live.url}/exports/{'A' * 43}")
    assert answer.status_code in (404, 410)


async def test_a_wrong_password_erases_nothing(rider: Newcomer) -> None:
    refused = await rider.do(ERASE, password="wrong", idempotencyKey=key())
    assert refused["__typename"] == "InvalidCredentialsError", refused
    assert (await rider.api.run(documents.VIEWER))["email"] == rider.email
