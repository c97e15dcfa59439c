"""What riders are told: the mail that opens an account, the list in the app, and the stream."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import httpx

from app import database
from app.settings import Settings
from domain import accounts, ids, notifications
from domain.values import NotificationKind
from tests import live
from tests.journeys import clients, documents, waiting
from tests.journeys.clients import Api
from tests.live import LiveServer

WITHDRAWN = {
    "reservationId": "-",
    "vehicleType": "van",
    "plate": "N-77",
    "startsAt": "2026-10-25T01:30:00+00:00",
    "alternatives": [],
}


async def _mail_to(server: LiveServer, address: str, kind: NotificationKind) -> dict[str, Any]:
    """As a developer of the demo reads it."""
    staff = Api(server.graphql_url, server.dispatcher_token)
    found: list[dict[str, Any]] = []

    async def has_come() -> bool:
        page = await staff.run(documents.DELIVERIES, state="SENT")
        of_kind = [node for node in page["nodes"] if node["kind"] == kind.name]
        found[:] = [node for node in of_kind if (node["simulatedMessage"] or {}).get("to") == address]
        return bool(found)

    await waiting.until(has_come)
    return found[0]


async def test_who_registers_gets_a_mail_whose_link_opens_the_account(live_server: LiveServer) -> None:
    nobody = Api(live_server.graphql_url)
    address = f"{uuid4().hex}@example.org"
    given: dict[str, Any] = {"email": address, "password": "correct horse", "name": "Léa", "language": "fr"}
    given |= {"hasAcceptedTerms": True, "documentVersion": "2026-11"}
    assert (await nobody.run(documents.REGISTER, input=given))["__typename"] == "RegisterSuccess"
    mail = await _mail_to(live_server, address, NotificationKind.EMAIL_VERIFICATION)
    assert (mail["kind"], mail["customerId"]) == ("EMAIL_VERIFICATION", None)
    message = mail["simulatedMessage"]
    assert message["subject"] == "Confirmez votre adresse e-mail"
    assert message["text"].startswith("Bonjour Léa,")
    link = urlsplit(message["link"])
    assert link.path == "/verify"
    (token,) = parse_qs(link.query)["token"]
    assert (await nobody.run(documents.VERIFY_EMAIL, input={"token": token, "password": given["password"]}))[
        "__typename"
    ] == "VerifyEmailSuccess"
    shown = live.run("mails", "--count", "50", "--url", live_server.graphql_url, env=live_server.environment())
    assert f"{address}  {message['subject']}\n    {message['link']}\n" in shown.stdout, shown.stderr
    texts = live.run("mails", "--count", "50", "--text", "--url", live_server.graphql_url, env=live_server.environment())
    assert "    Bonjour Léa,\n" in texts.stdout
    assert f'"link":"{message["link"]}"' in live_server.log.replace('": "', '":"'), "so that it can be read without staff"


async def _tell(server: LiveServer, customer_id: UUID, kind: NotificationKind, facts: dict[str, Any]) -> str:
    async with database.opened(Settings(), server.database_url) as sessions, sessions.begin() as session:
        told = await notifications.notify(session, kind, customer_id=customer_id, facts=facts, now=datetime.now(UTC))
    assert told is not None
    return ids.encode(ids.NOTIFICATION, told)


async def test_a_rider_is_told_once_across_a_lost_connection_and_marks_it_as_read(live_server: LiveServer) -> None:
    rider = Api(live_server.graphql_url, live_server.rider2_token)
    viewer = await rider.run(documents.VIEWER)
    customer_id = ids.decode(viewer["id"], ids.CUSTOMER)
    async with clients.opened(live_server.ws_url, live_server.rider2_token) as socket:
        stream = await socket.follow(documents.NOTIFICATIONS, after=viewer["cursor"])
        first = await _tell(live_server, customer_id, NotificationKind.VEHICLE_WITHDRAWN, WITHDRAWN)
        received = await stream.until("NotificationReceived")
        assert (received["notification"]["id"], received["notification"]["readAt"]) == (first, None)
        assert "(van N-77, from Sun 25 Oct, 02:30 CET)" in received["notification"]["body"]
    second = await _tell(live_server, customer_id, NotificationKind.PASSWORD_RESET, {"resetId": str(uuid4())})
    async with clients.opened(live_server.ws_url, live_server.rider2_token) as socket:
        resumed = await socket.follow(documents.NOTIFICATIONS, after=stream.cursor)
        again = (await resumed.until("NotificationReceived"))["notification"]
        assert again["id"] == second, "nothing is repeated"
    told = await rider.run(documents.TOLD)
    assert [node["id"] for node in told["notifications"]["nodes"][:2]] == [second, first]
    assert "token" not in str(told), "a link that opens something is in mail alone"
    unread = told["unreadNotifications"]
    one = await rider.run(documents.MARK_READ, input={"notificationIds": [first]})
    assert one == {"__typename": "MarkNotificationsReadSuccess", "unreadNotifications": unread - 1}
    stranger = Api(live_server.graphql_url, live_server.rider_token)
    await stranger.run(documents.MARK_READ, input={"upToId": second})
    assert (await rider.run(documents.TOLD))["unreadNotifications"] == unread - 1, "nobody else's are touched"
    rest = await rider.run(documents.MARK_READ, input={"upToId": second})
    assert rest["unreadNotifications"] == 0
    for wrong in ({"upToId": viewer["id"]}, {"notificationIds": [first] * 101}):
        assert (await rider.run(documents.MARK_READ, input=wrong))["__typename"] == "InvalidInputError"


async def test_an_optional_mail_is_unsubscribed_from_with_one_click_and_no_sign_in(live_server: LiveServer) -> None:
    rider = Api(live_server.graphql_url, live_server.rider_token)
    viewer = await rider.run(documents.VIEWER)
    customer_id = ids.decode(viewer["id"], ids.CUSTOMER)
    await _tell(live_server, customer_id, NotificationKind.VEHICLE_WITHDRAWN, WITHDRAWN)
    mail = await _mail_to(live_server, accounts.normalize_email(viewer["email"]), NotificationKind.VEHICLE_WITHDRAWN)
    text = mail["simulatedMessage"]["text"]
    link = next(line for line in text.splitlines() if "/unsubscribe?" in line)
    assert link.startswith(live_server.url + "/")
    async with httpx.AsyncClient() as browser:
        for wrong in (
            link + "x",
            link.replace("reservations", "account"),
            link.replace("reservations", "all"),
            link.partition("?")[0],
        ):
            assert (await browser.post(wrong)).status_code == 404
        page = await browser.get(link, headers={"accept-language": "de-AT,de;q=0.8"})
        assert (page.status_code, "Abbestellen" in page.text, page.headers["referrer-policy"]) == (200, True, "no-referrer")
        assert await _is_on(rider, "RESERVATIONS", "EMAIL"), "programs open links by themselves: that changes nothing"
        for _ in range(2):
            assert (await browser.post(link, data={"List-Unsubscribe": "One-Click"})).status_code == 200
    assert not await _is_on(rider, "RESERVATIONS", "EMAIL")
    assert await _is_on(rider, "RESERVATIONS", "PUSH")


async def _is_on(rider: Api, category: str, channel: str) -> bool:
    found = await rider.run("{ customer { viewer { notificationPreferences { category channel isOn } } } }")
    return bool({**_switches(found)}[category, channel])


def _switches(viewer: dict[str, Any]) -> dict[tuple[str, str], bool]:
    return {(one["category"], one["channel"]): one["isOn"] for one in viewer["notificationPreferences"]}
