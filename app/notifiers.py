"""Notifiers: what carries each channel, as the settings say."""

from __future__ import annotations

from collections.abc import Mapping

from app.gateways.mail import SmtpNotifier
from app.gateways.messengers import AppriseNotifier
from app.gateways.simulator import SimulatedNotifier
from app.settings import Settings
from domain.channels import Channel
from domain.ports import Notifier

Notifiers = Mapping[Channel, Notifier | None]


def of_settings(settings: Settings) -> Notifiers:
    """None: the channel is not set up, which only happens in production; in development the simulator stands in."""
    simulator = None if settings.is_production else SimulatedNotifier()
    seconds = settings.delivery_timeout_seconds
    return {
        Channel.EMAIL: SmtpNotifier(settings) if settings.smtp_host else simulator,
        Channel.SMS: AppriseNotifier(settings.sms_url, timeout_seconds=seconds) if settings.sms_url else simulator,
        Channel.PUSH: AppriseNotifier(settings.push_url, timeout_seconds=seconds) if settings.push_url else simulator,
    }
