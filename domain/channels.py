"""Channels: the ways by which riders are told, which kinds may go by which, and what is on by default (pure)."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from domain.values import NotificationKind


class Channel(StrEnum):
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"


class Category(StrEnum):
    """What a rider may switch off or on as one."""

    #: safety of the account: always by mail
    ACCOUNT = "account"
    RESERVATIONS = "reservations"
    TRIPS = "trips"
    #: receipts, debts, fines: always by mail
    PAYMENTS = "payments"
    COMMUTES = "commutes"
    MARKETING = "marketing"


class PushPlatform(StrEnum):
    IOS = "ios"
    ANDROID = "android"
    WEB = "web"


class DeliveryState(StrEnum):
    #: waits for its next attempt, or is being sent
    QUEUED = "queued"
    SENT = "sent"
    #: given up
    FAILED = "failed"
    #: never to be sent, or not any more
    SKIPPED = "skipped"


CATEGORIES = {
    NotificationKind.RESERVATION_EXPIRED: Category.RESERVATIONS,
    NotificationKind.RESERVATION_CANCELLED: Category.RESERVATIONS,
    NotificationKind.VEHICLE_WITHDRAWN: Category.RESERVATIONS,
    NotificationKind.COMMUTE_REMINDER: Category.COMMUTES,
    NotificationKind.RETURN_DUE: Category.TRIPS,
    NotificationKind.RECEIPT_READY: Category.PAYMENTS,
    NotificationKind.PAYMENT_FAILED: Category.PAYMENTS,
    NotificationKind.REFUNDED: Category.PAYMENTS,
    NotificationKind.FINE_ISSUED: Category.PAYMENTS,
    NotificationKind.APPEAL_DECIDED: Category.PAYMENTS,
}
_FIXED = (Category.ACCOUNT, Category.PAYMENTS)
#: they carry a link that is nobody else's, or go to somebody who has no account (any more)
MAIL_ONLY = frozenset(
    {
        NotificationKind.EMAIL_VERIFICATION,
        NotificationKind.ACCOUNT_EXISTS,
        NotificationKind.PASSWORD_RESET,
        NotificationKind.EXPORT_READY,
        NotificationKind.ACCOUNT_ERASED,
    }
)
#: for how long after it happened somebody wants to hear of it, where that is not days
_GOOD_FOR = {
    # As long as their links, see `registrations` and `password_resets`.
    NotificationKind.EMAIL_VERIFICATION: timedelta(hours=24),
    NotificationKind.PASSWORD_RESET: timedelta(hours=1),
    NotificationKind.RESERVATION_EXPIRED: timedelta(hours=6),
    NotificationKind.VEHICLE_WITHDRAWN: timedelta(hours=12),
}
_GOOD_FOR_DAYS = timedelta(days=2)
#: a receipt is as good a week later
_PAPERS_GOOD_FOR = timedelta(days=7)
_ON = {
    (Category.ACCOUNT, Channel.EMAIL),
    (Category.ACCOUNT, Channel.PUSH),
    (Category.RESERVATIONS, Channel.EMAIL),
    (Category.RESERVATIONS, Channel.PUSH),
    (Category.TRIPS, Channel.EMAIL),
    (Category.TRIPS, Channel.PUSH),
    (Category.PAYMENTS, Channel.EMAIL),
    (Category.PAYMENTS, Channel.PUSH),
    (Category.COMMUTES, Channel.EMAIL),
    (Category.COMMUTES, Channel.PUSH),
}


def category_of(kind: NotificationKind) -> Category:
    return CATEGORIES.get(kind, Category.ACCOUNT)


def channels_of(kind: NotificationKind) -> tuple[Channel, ...]:
    """Mail is always among them, so that whatever was told has a delivery that says what became of it."""
    return (Channel.EMAIL,) if kind in MAIL_ONLY else tuple(Channel)


def good_for(kind: NotificationKind) -> timedelta:
    """Whoever could not be told by then is not told by message any more; the list of notifications still has it."""
    default = _PAPERS_GOOD_FOR if category_of(kind) is Category.PAYMENTS else _GOOD_FOR_DAYS
    return _GOOD_FOR.get(kind, default)


def is_on_by_default(category: Category, channel: Channel) -> bool:
    return (category, channel) in _ON


def is_fixed(category: Category, channel: Channel) -> bool:
    """What nobody can switch off: whoever takes over an account would do so first, and what is charged has to reach who pays."""
    return category in _FIXED and channel is Channel.EMAIL
