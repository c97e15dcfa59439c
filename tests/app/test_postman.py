"""Telling riders by mail, text and push message: once, however the servers behind it fail."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text

from app.database import SessionFactory
from app.gateways.mail import SmtpNotifier
from app.gateways.simulator import SimulatedNotifier
from app.postman import Postman
from app.settings import MailSecurity, Settings
from domain import channels, deliveries, ids, letters, notifications, push_devices, tables
from domain.actor import Actor
from domain.channels import Channel, DeliveryState, PushPlatform
from domain.ports import Message, NotDelivered
from domain.seals import Seals
from domain.values import NotificationKind
from tests import factories
from tests.app.mail_server import MailServer, serving
from tests.conftest import FixedClock

LINKS = letters.Links("https://nimrod.example", Seals(b"k" * 32))
RESERVATION = {"reservationId": "-", "vehicleType": "car", "plate": "N-12", "startsAt": "2026-11-21T09:30:00+00:00"}


def smtp(port: int, **given: Any) -> SmtpNotifier:
    columns: dict[str, Any] = {"delivery_timeout_seconds": 5, "smtp_security": MailSecurity.NONE, **given}
    return SmtpNotifier(Settings(smtp_host="127.0.0.1", smtp_port=port, mail_sender="Nimrod <us@nimrod.example>", **columns))


@dataclass
class Told:
    """A rider was told of an expired reservation; nothing has been sent yet."""

    sessions: SessionFactory
    clock: FixedClock
    rider: Actor
    notification_id: UUID

    def postman(self, **by: Any) -> Postman:
        carriers = {
            Channel.EMAIL: None,
            Channel.SMS: None,
            Channel.PUSH: None,
            **{Channel[name]: one for name, one in by.items()},
        }
        return Postman(self.sessions, self.clock, carriers, LINKS)

    async def rows(self) -> dict[Channel, tables.Delivery]:
        async with self.sessions() as session:
            found = await session.execute(select(tables.Delivery).where(tables.Delivery.notification_id == self.notification_id))
            return {row.channel: row for row in found.scalars()}

    async def mail(self) -> tables.Delivery:
        return (await self.rows())[Channel.EMAIL]


@pytest.fixture
async def told(session_factory: SessionFactory, clock: FixedClock) -> Told:
    async with session_factory.begin() as session:
        await factories.add_metro(session, is_default=True)
        rider = await factories.add_rider(session, email="robin@example.org", name="Robin", language="de")
        notification_id = await notifications.notify(
            session, NotificationKind.RESERVATION_EXPIRED, customer_id=rider.account_id, facts=RESERVATION, now=clock.now()
        )
    assert notification_id is not None
    return Told(session_factory, clock, rider, notification_id)


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with serving() as found:
        yield found


async def test_a_mail_reaches_the_server_in_the_riders_language_with_one_click_to_have_no_more(
    told: Told, server: MailServer
) -> None:
    postman = told.postman(EMAIL=smtp(server.port))
    await postman.plan(told.notification_id)
    assert await postman.deliver_due(Channel.EMAIL) == 1
    row, (mail,) = await told.mail(), server.taken
    assert (row.state, row.attempts, row.sent_at, row.is_simulated) == (DeliveryState.SENT, 1, told.clock.now(), False)
    assert (mail["To"], mail["Subject"]) == ("robin@example.org", "Ihre Reservierung ist abgelaufen")
    assert mail["Message-ID"] == f"<{row.id}@nimrod.example>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail["List-Unsubscribe"].startswith("<https://nimrod.example/notifications/unsubscribe?category=reservations&token=")
    plain, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert "Guten Tag Robin,\r\n" in plain.get_content().replace("\n", "\r\n").replace("\r\r", "\r")
    assert "(Auto N-12, ab Sa., 21. Nov., 10:30)" in plain.get_content()
    assert "<p>Guten Tag Robin,</p>" in html.get_content()


async def test_what_is_sent_is_not_sent_again_whoever_looks(told: Told, server: MailServer) -> None:
    postmen = [told.postman(EMAIL=smtp(server.port)) for _ in range(4)]
    for postman in postmen:
        await postman.plan(told.notification_id)
    assert sum(await asyncio.gather(*(postman.deliver_due(Channel.EMAIL) for postman in postmen))) == 1
    told.clock.advance(days=1)
    assert await postmen[0].deliver_due(Channel.EMAIL) == 0
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("recipients", "mails", "reason"),
    [(["451 Try later"], [], "recipient refused: 451"), ([], ["452 Full"], "mail refused: 452"), (["421 Closing"], [], "421")],
)
async def test_a_server_that_says_later_is_asked_again_after_a_longer_pause_each_time(
    told: Told, server: MailServer, recipients: list[str], mails: list[str], reason: str
) -> None:
    server.recipients, server.mails = recipients * 2, mails * 2
    postman = told.postman(EMAIL=smtp(server.port))
    await postman.plan(told.notification_id)
    pauses = []
    for attempt in (1, 2):
        assert await postman.deliver_due(Channel.EMAIL) == 1
        row = await told.mail()
        assert (row.state, row.attempts) == (DeliveryState.QUEUED, attempt)
        assert reason in (row.reason or "")
        assert "robin" not in (row.reason or "")
        assert row.next_attempt_at is not None
        assert await postman.deliver_due(Channel.EMAIL) == 0, "not before its time"
        pauses.append(row.next_attempt_at - told.clock.now())
        told.clock.instant = row.next_attempt_at
    assert timedelta(seconds=10) <= pauses[0] <= timedelta(seconds=15) < pauses[1] <= timedelta(seconds=45)
    await postman.deliver_due(Channel.EMAIL)
    assert (await told.mail()).state is DeliveryState.SENT


@pytest.mark.parametrize(("recipients", "mails"), [(["550 No such user"], []), ([], ["554 No"])])
async def test_a_server_that_says_no_is_not_asked_again(
    told: Told, server: MailServer, recipients: list[str], mails: list[str]
) -> None:
    server.recipients, server.mails = recipients, mails
    postman = told.postman(EMAIL=smtp(server.port))
    await postman.plan(told.notification_id)
    await postman.deliver_due(Channel.EMAIL)
    row = await told.mail()
    assert (row.state, row.attempts, row.next_attempt_at) == (DeliveryState.FAILED, 1, None)
    told.clock.advance(days=1)
    assert await postman.deliver_due(Channel.EMAIL) == 0
    assert server.asked == 1


async def test_a_server_that_is_down_gets_the_mail_when_it_is_back(told: Told) -> None:
    async with serving() as gone:
        port = gone.port
    postman = told.postman(EMAIL=smtp(port))
    await postman.plan(told.notification_id)
    await postman.deliver_due(Channel.EMAIL)
    row = await told.mail()
    assert (row.state, row.reason) == (DeliveryState.QUEUED, "SMTPConnectError")
    told.clock.advance(minutes=1)
    async with serving() as back:
        postman = told.postman(EMAIL=smtp(back.port))
        await postman.deliver_due(Channel.EMAIL)
        assert len(back.taken) == 1
    assert (await told.mail()).state is DeliveryState.SENT


async def test_mail_goes_encrypted_to_a_server_whose_certificate_is_good_and_to_no_other(
    told: Told, certificate: tuple[Path, Path]
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    async with serving(context, require_starttls=True) as server:
        postman = told.postman(EMAIL=smtp(server.port, smtp_security=MailSecurity.STARTTLS))
        await postman.plan(told.notification_id)
        await postman.deliver_due(Channel.EMAIL)
        assert ((await told.mail()).state, server.asked) == (DeliveryState.QUEUED, 0), "nobody vouches for that certificate"
        told.clock.advance(minutes=1)
        given = {"smtp_security": MailSecurity.STARTTLS, "smtp_certificates": certificate[0]}
        await told.postman(EMAIL=smtp(server.port, **given)).deliver_due(Channel.EMAIL)
        assert ((await told.mail()).state, server.was_encrypted) == (DeliveryState.SENT, True)


async def test_a_server_that_never_greets_is_left_in_time(told: Told) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        postman = told.postman(EMAIL=smtp(silent.getsockname()[1], delivery_timeout_seconds=0.2))
        await postman.plan(told.notification_id)
        async with asyncio.timeout(30):
            await postman.deliver_due(Channel.EMAIL)
    row = await told.mail()
    assert (row.state, row.reason) == (DeliveryState.QUEUED, "no answer in time")


async def test_a_mail_that_was_taken_and_answered_too_late_comes_twice_as_one_message(told: Told, server: MailServer) -> None:
    server.may_answer.clear()
    postman = told.postman(EMAIL=smtp(server.port, delivery_timeout_seconds=0.3))
    await postman.plan(told.notification_id)
    await postman.deliver_due(Channel.EMAIL)
    assert (await told.mail()).state is DeliveryState.QUEUED
    server.may_answer.set()
    told.clock.advance(minutes=1)
    await postman.deliver_due(Channel.EMAIL)
    assert (await told.mail()).state is DeliveryState.SENT
    first, second = server.taken
    assert (first["Message-ID"], first["Date"]) == (second["Message-ID"], second["Date"]), "a server can drop the double"


def test_a_mail_server_that_is_away_for_long_uses_up_nobodys_attempts() -> None:
    first, longest = deliveries.PAUSES
    shortest = sum((min(first * 3 ** min(number - 1, 9), longest) for number in range(1, deliveries.ATTEMPTS)), timedelta())
    assert shortest > max(map(channels.good_for, NotificationKind)), "what is late is skipped before it is given up"
    assert deliveries.pause_after(60, UUID(int=7)) >= longest


async def test_after_many_attempts_it_is_given_up(told: Told) -> None:
    class Refusing:
        is_simulated = False

        async def send(self, message: Message) -> None:
            raise NotDelivered("refused", is_permanent=not message.to)

    postman = told.postman(EMAIL=Refusing())
    await postman.plan(told.notification_id)
    async with told.sessions.begin() as session:
        await session.execute(text(f"update deliveries set attempts = {deliveries.ATTEMPTS - 1}"))
    await postman.deliver_due(Channel.EMAIL)
    assert ((await told.mail()).state, (await told.mail()).attempts) == (DeliveryState.FAILED, deliveries.ATTEMPTS)


async def test_what_nobody_wants_to_hear_any_more_is_skipped(told: Told, server: MailServer) -> None:
    postman = told.postman(EMAIL=smtp(server.port))
    await postman.plan(told.notification_id)
    told.clock.advance(hours=7)
    await postman.deliver_due(Channel.EMAIL)
    row = await told.mail()
    assert (row.state, row.reason, server.taken) == (DeliveryState.SKIPPED, "too late", [])


async def test_a_channel_that_is_not_set_up_is_skipped(told: Told) -> None:
    postman = told.postman()
    await postman.plan(told.notification_id)
    await postman.deliver_due(Channel.EMAIL)
    row = await told.mail()
    assert (row.state, row.reason) == (DeliveryState.SKIPPED, "this channel is not set up")


async def test_intermediate_state_a_notification_whose_job_was_lost_is_planned_by_the_sweeper(told: Told) -> None:
    """`planned_at` is null, and no job is there."""
    postman = told.postman(EMAIL=SimulatedNotifier())
    await postman.plan_lost()
    assert await told.rows() == {}, "its job may still come"
    told.clock.advance(minutes=2)
    await postman.plan_lost()
    assert set(await told.rows()) == {Channel.EMAIL}


async def test_intermediate_state_a_planned_delivery_whose_worker_died_is_sent_by_another(told: Told) -> None:
    """`queued`, no attempt, due."""
    await told.postman(EMAIL=SimulatedNotifier()).plan(told.notification_id)
    assert await told.postman(EMAIL=SimulatedNotifier()).deliver_due(Channel.EMAIL) == 1


async def test_intermediate_state_a_claim_whose_worker_died_is_due_again_after_its_lease(told: Told) -> None:
    """`queued`, an attempt, `next_attempt_at` at the end of the lease: whether it was sent, nobody knows."""
    notifier = SimulatedNotifier()
    postman = told.postman(EMAIL=notifier)
    await postman.plan(told.notification_id)
    async with told.sessions.begin() as session:
        (claim,) = await deliveries.claim_deliveries(session, Channel.EMAIL, now=told.clock.now(), limit=5)
    assert await postman.deliver_due(Channel.EMAIL) == 0
    told.clock.advance(seconds=deliveries.LEASE.total_seconds())
    assert await postman.deliver_due(Channel.EMAIL) == 1
    (sent,) = notifier.sent
    assert sent.id == claim.id, "the same message, should it have been sent before"
    async with told.sessions.begin() as session:
        given: dict[str, Any] = {"attempt": 1, "reason": "late", "is_permanent": True, "now": told.clock.now()}
        await deliveries.record_failed(session, claim.id, **given)
    assert (await told.mail()).state is DeliveryState.SENT, "the one who was superseded changes nothing"


async def test_no_attempt_with_its_record_takes_as_long_as_a_lease() -> None:
    longest = Settings.model_fields["delivery_timeout_seconds"].metadata
    assert any(getattr(one, "le", None) == 60 for one in longest)
    assert timedelta(seconds=60 + 30) < deliveries.LEASE


async def test_a_simulated_mail_is_a_line_in_the_log_with_its_link(
    session_factory: SessionFactory, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with session_factory.begin() as session:
        notification_id = await notifications.notify(
            session,
            NotificationKind.EMAIL_VERIFICATION,
            email="new@example.org",
            language="fr",
            facts={"registrationId": str(ids.new()), "name": "Léa"},
            now=clock.now(),
        )
    assert notification_id is not None
    notifier = SimulatedNotifier()
    postman = Postman(session_factory, clock, {**dict.fromkeys(Channel), Channel.EMAIL: notifier}, LINKS)
    await postman.plan(notification_id)
    with caplog.at_level(logging.INFO):
        await postman.deliver_due(Channel.EMAIL)
    (message,) = notifier.sent
    assert message.link is not None
    assert message.link.startswith("https://nimrod.example/verify?token=")
    assert message.text.startswith("Bonjour Léa,")
    assert [getattr(record, "link", None) for record in caplog.records if record.message == "simulated message"] == [message.link]


async def test_a_push_message_goes_to_every_device_and_one_that_has_it_is_enough(told: Told) -> None:
    class OneIsGone(SimulatedNotifier):
        async def send(self, message: Message) -> None:
            if message.to == "old device":
                raise NotDelivered("gone")
            await super().send(message)

    async with told.sessions.begin() as session:
        for token in ("old device", "new device"):
            await push_devices.register_push_device(
                session, told.rider.account_id, token=token, platform=PushPlatform.IOS, now=told.clock.now()
            )
    notifier = OneIsGone()
    postman = told.postman(PUSH=notifier)
    await postman.plan(told.notification_id)
    await postman.deliver_due(Channel.PUSH)
    assert [message.to for message in notifier.sent] == ["new device"]
    assert (await told.rows())[Channel.PUSH].state is DeliveryState.SENT


async def test_an_error_that_nobody_thought_of_holds_up_nothing_else(told: Told) -> None:
    class Broken:
        is_simulated = False

        async def send(self, message: Message) -> None:
            raise RuntimeError(message.to)

    postman = told.postman(EMAIL=Broken())
    await postman.plan(told.notification_id)
    await postman.deliver_due(Channel.EMAIL)
    row = await told.mail()
    assert (row.state, row.reason) == (DeliveryState.QUEUED, "RuntimeError")
