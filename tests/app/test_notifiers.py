"""What carries each channel: in production nothing is simulated, and nothing that was is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import cast
from uuid import UUID

from app.gateways.mail import SmtpNotifier
from app.gateways.messengers import AppriseNotifier
from app.gateways.simulator import SimulatedNotifier
from app.notifiers import of_settings
from app.settings import Environment, Settings
from domain import deliveries
from domain.channels import Channel, DeliveryState
from domain.letters import Notice
from domain.values import NotificationKind
from domain.wording import Reader
from resolvers.context import Ctx
from resolvers.deliveries import simulated_message
from tests.app.test_mail import SENT_AT
from tests.app.test_postman import LINKS

DEVELOPMENT = Settings(env=Environment.DEVELOPMENT)
ID = UUID(int=7)
PRODUCTION = Settings(env=Environment.PRODUCTION, signing_key="k" * 32)


def test_without_settings_development_simulates_and_production_sends_nothing() -> None:
    assert {type(one) for one in of_settings(DEVELOPMENT).values()} == {SimulatedNotifier}
    assert set(of_settings(PRODUCTION).values()) == {None}


def test_each_channel_is_set_up_by_itself() -> None:
    given = {"smtp_host": "mail.example", "sms_url": "json://sms.example/{to}", "push_url": "json://push.example/{to}"}
    kinds = {channel: type(one) for channel, one in of_settings(PRODUCTION.model_copy(update=given)).items()}
    assert kinds == {Channel.EMAIL: SmtpNotifier, Channel.SMS: AppriseNotifier, Channel.PUSH: AppriseNotifier}


def test_a_link_is_shown_of_what_was_simulated_in_development_and_of_nothing_else() -> None:
    class Runtime:
        links = LINKS
        shows_simulated = True

    ctx = cast("Ctx", type("Asking", (), {"runtime": Runtime}))
    facts = {"resetId": str(ID)}
    notice = Notice(ID, NotificationKind.PASSWORD_RESET, facts, ID, Reader("en", "UTC"), SENT_AT)
    row = deliveries.Delivery(
        id=ID,
        channel=Channel.EMAIL,
        state=DeliveryState.SENT,
        attempts=1,
        next_attempt_at=None,
        reason=None,
        is_simulated=True,
        created_at=SENT_AT,
        sent_at=SENT_AT,
        notice=notice,
        email="r@example.org",
    )
    shown = simulated_message(ctx, row)
    assert shown is not None
    assert shown.link is not None
    assert simulated_message(ctx, replace(row, is_simulated=False)) is None
    Runtime.shows_simulated = False
    assert simulated_message(ctx, row) is None
