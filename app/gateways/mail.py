"""Mail: messages handed to an SMTP server."""

from __future__ import annotations

import asyncio
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

import aiosmtplib

from app.settings import MailSecurity, Settings
from domain.ports import Message, NotDelivered


class SmtpNotifier:
    """One connection a mail. A server that answers too late has perhaps taken it: the next try bears the same Message-ID."""

    is_simulated = False

    def __init__(self, settings: Settings) -> None:
        self._sender = settings.mail_sender
        self._timeout = settings.delivery_timeout_seconds
        security = settings.smtp_security
        certificates = settings.smtp_certificates
        self._connection = {
            "hostname": settings.smtp_host,
            "port": settings.smtp_port,
            "username": settings.smtp_username,
            "password": settings.smtp_password,
            "use_tls": security is MailSecurity.TLS,
            "start_tls": security is MailSecurity.STARTTLS,
            "tls_context": None
            if security is MailSecurity.NONE
            else ssl.create_default_context(cafile=str(certificates) if certificates else None),
        }

    async def send(self, message: Message) -> None:
        try:
            mail = mail_of(message, self._sender)
        except (ValueError, IndexError, MessageError):  # what the header registry says of an address that is none
            raise NotDelivered("not an address", is_permanent=True) from None
        try:
            async with asyncio.timeout(self._timeout):
                await aiosmtplib.send(
                    mail,
                    sender=parseaddr(self._sender)[1],
                    recipients=[message.to],
                    timeout=self._timeout,
                    **self._connection,  # type: ignore[arg-type]
                )
        except (TimeoutError, aiosmtplib.SMTPException, OSError) as error:
            raise _refusal(error) from None  # the error may quote the address


def _refusal(error: Exception) -> NotDelivered:
    if isinstance(error, TimeoutError):
        return NotDelivered("no answer in time")
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        code = error.recipients[0].code
        return NotDelivered(f"recipient refused: {code}", is_permanent=code >= 500)
    if isinstance(error, aiosmtplib.SMTPDataError):
        return NotDelivered(f"mail refused: {error.code}", is_permanent=error.code >= 500)
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return NotDelivered("the server cannot carry such an address", is_permanent=True)
    if isinstance(error, aiosmtplib.SMTPResponseException):  # the sender, a password: a fault of ours, which somebody mends
        return NotDelivered(f"{type(error).__name__}: {error.code}")
    return NotDelivered(type(error).__name__)


def mail_of(message: Message, sender: str) -> EmailMessage:
    """Raises ValueError or MessageError for an address that is none."""
    name, address = parseaddr(sender)
    mail = EmailMessage()
    mail["From"] = Address(name, addr_spec=address)
    mail["To"] = Address(addr_spec=message.to)
    mail["Subject"] = message.subject
    # The same for every try: whoever gets two can tell that they are one.
    mail["Message-ID"] = f"<{message.id}@{address.rpartition('@')[2]}>"
    mail["Date"] = format_datetime(message.at)
    mail["Content-Language"] = message.language
    mail["Auto-Submitted"] = "auto-generated"
    if message.unsubscribe is not None:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    # Servers on the way may know seven bits alone.
    mail.set_content(message.text, cte="quoted-printable")
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    return mail
