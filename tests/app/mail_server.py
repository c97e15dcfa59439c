"""A mail server on this machine that fails as it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from ssl import SSLContext
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class MailServer:
    port: int = 0
    #: what it answers to the next recipients and mails; afterwards it takes all
    recipients: list[str] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    #: it has taken a mail, and says so only when this is set
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    #: of what it took, however late it said so
    taken: list[EmailMessage] = field(default_factory=list)
    asked: int = 0
    was_encrypted: bool = False

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def handle_RCPT(self, _: SMTP, session: Session, envelope: Envelope, address: str, __: list[str]) -> str:  # noqa: N802
        self.asked += 1
        self.was_encrypted = session.ssl is not None
        if self.recipients:
            return self.recipients.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: SMTP, __: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.mails:
            return self.mails.pop(0)
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.taken.append(mail)
        await self.may_answer.wait()
        return "250 OK"


@asynccontextmanager
async def serving(tls_context: SSLContext | None = None, **options: Any) -> AsyncIterator[MailServer]:
    """`tls_context`: for STARTTLS."""
    found = MailServer()
    loop = asyncio.get_running_loop()
    given = {"hostname": "localhost", "loop": loop, "tls_context": tls_context, "enable_SMTPUTF8": True, **options}
    listening = await loop.create_server(lambda: SMTP(found, **given), "127.0.0.1", 0)
    found.port = listening.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        found.may_answer.set()
        listening.close()
        await asyncio.sleep(0)
