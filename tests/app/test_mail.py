"""A notification as a mail, for addresses that are none and senders that write what they like."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.gateways.mail import SmtpNotifier, mail_of
from app.settings import MailSecurity, Settings
from domain.channels import Channel
from domain.ports import Message, NotDelivered

SENT_AT = datetime(2026, 11, 21, 8, 30, tzinfo=UTC)
MAIL = Message(UUID(int=7), Channel.EMAIL, "r@example.org", "Größe", "Text ☂\n", "de", SENT_AT, html="<p>Text</p>")


@pytest.mark.parametrize(
    "address",
    ["a@b, c@d", "<x>", "", "a b@c", "a@b\r\nBcc: x@y", "@", "a@", "=?utf-8?q?x?=@b.de", "a@b\0", "x" * 10_000],
)
async def test_an_address_that_is_none_is_refused_for_good_before_anybody_is_asked(address: str) -> None:
    notifier = SmtpNotifier(Settings(smtp_host="127.0.0.1", smtp_port=1, smtp_security=MailSecurity.NONE))
    with pytest.raises(NotDelivered) as refused:
        await notifier.send(replace(MAIL, to=address))
    assert (refused.value.reason, refused.value.is_permanent) == ("not an address", True)


def test_every_try_is_the_same_mail() -> None:
    first, second = (mail_of(MAIL, "Nimrod <us@nimrod.example>") for _ in range(2))
    assert first.items()[:-1] == second.items()[:-1], "all but the boundary between its parts"
    assert first["Message-ID"] == f"<{MAIL.id}@nimrod.example>"
    assert first["Date"] == "Sat, 21 Nov 2026 08:30:00 +0000"
    assert (first["Auto-Submitted"], first["List-Unsubscribe"]) == ("auto-generated", None)


def test_what_is_not_ascii_travels() -> None:
    written = mail_of(MAIL, "Nimrod für alle <us@nimrod.example>").as_bytes()
    assert max(written) < 128
    assert b"=?utf-8?" in written
