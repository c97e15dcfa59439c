"""Letters: one notification as a message for one channel: text, links and mail in HTML (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from domain import channels, wording
from domain.actor import Audience
from domain.channels import Category, Channel
from domain.ports import Message
from domain.seals import Purpose, Seals
from domain.values import NotificationKind

#: where the one-click answer to an optional mail goes (RFC 8058)
UNSUBSCRIBE_PATH = "/notifications/unsubscribe"

#: by kind: the page with a place for the token, what that opens, the fact that it seals
_LINKS = {
    NotificationKind.EMAIL_VERIFICATION: ("verify?token={}", Purpose.EMAIL_VERIFICATION, "registrationId"),
    NotificationKind.PASSWORD_RESET: ("reset-password?token={}", Purpose.PASSWORD_RESET, "resetId"),
    NotificationKind.EXPORT_READY: ("exports/{}", Purpose.DATA_EXPORT, "exportId"),
    NotificationKind.RECEIPT_READY: ("receipts/{}.pdf", Purpose.RECEIPT_PDF, "receiptId"),
}
#: by kind: the fact that says when it is too late to tell it
_TOO_LATE = {NotificationKind.COMMUTE_REMINDER: "leaveAt", NotificationKind.RETURN_DUE: "dueAt"}


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification and whom it is for."""

    id: UUID
    kind: NotificationKind
    facts: dict[str, Any]
    customer_id: UUID | None
    reader: wording.Reader
    created_at: datetime
    read_at: datetime | None = None

    @property
    def text(self) -> wording.Text:
        """Without any link."""
        return wording.text_of(self.kind, self.facts, self.reader)

    @property
    def good_until(self) -> datetime:
        """Whoever could not be told by then is not told by message any more."""
        if self.kind in _TOO_LATE:
            return datetime.fromisoformat(self.facts[_TOO_LATE[self.kind]])
        return self.created_at + channels.good_for(self.kind)


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links that open something for whoever has them: only for what is sent, never for the API."""

    public_url: str
    seals: Seals

    def link(self, kind: NotificationKind, facts: dict[str, Any]) -> str | None:
        if kind not in _LINKS:
            return None
        page, purpose, fact = _LINKS[kind]
        # Those who work here have pages of their own, beside those of riders.
        page = f"ops/{page}" if facts.get("audience") == Audience.OPS else page
        return f"{self.public_url}/{page.format(self.seals.seal(purpose, UUID(facts[fact])))}"

    def unsubscribe(self, customer_id: UUID, category: Category) -> str:
        """The token opens the customer's choices, all of which are theirs: the category may stand beside it."""
        given = {"category": category, "token": self.seals.seal(Purpose.UNSUBSCRIBE, customer_id)}
        return f"{self.public_url}{UNSUBSCRIBE_PATH}?{urlencode(given)}"


def message(notice: Notice, channel: Channel, *, delivery_id: UUID, to: str, links: Links) -> Message:
    text = notice.text
    if channel is not Channel.EMAIL:
        return Message(delivery_id, channel, to, text.subject, text.short, notice.reader.language, notice.created_at)
    link = links.link(notice.kind, notice.facts)
    category = channels.category_of(notice.kind)
    is_optional = notice.customer_id is not None and not channels.is_fixed(category, channel)
    unsubscribe = links.unsubscribe(notice.customer_id, category) if notice.customer_id and is_optional else None
    return Message(
        id=delivery_id,
        channel=channel,
        to=to,
        subject=text.subject,
        text=_plain(notice, text, link, unsubscribe),
        language=wording.language_of(notice.reader.language),
        at=notice.created_at,
        html=_html(notice, text, link, unsubscribe),
        link=link,
        unsubscribe=unsubscribe,
    )


def _plain(notice: Notice, text: wording.Text, link: str | None, unsubscribe: str | None) -> str:
    parts = [wording.common("greeting", notice.reader), text.body]
    if link is not None:
        parts.append(f"{text.button}:\n{link}")
    parts.append(wording.common("closing", notice.reader))
    if unsubscribe is not None:
        parts.append(f"--\n{wording.common('unsubscribe', notice.reader)}\n{unsubscribe}")
    return "\n\n".join(parts) + "\n"


def _html(notice: Notice, text: wording.Text, link: str | None, unsubscribe: str | None) -> str:
    reader = notice.reader
    parts = [_paragraph(wording.common("greeting", reader)), *(_paragraph(part) for part in text.body.split("\n\n"))]
    if link is not None:
        style = "display:inline-block;padding:12px 20px;background:#0b5;color:#fff;text-decoration:none;border-radius:6px"
        parts.append(f'<p><a href="{escape(link)}" style="{style}">{escape(text.button or "")}</a></p>')
        parts.append(f"<p>{escape(wording.common('open_link', reader))}<br>{escape(link)}</p>")
    parts.append(_paragraph(wording.common("closing", reader)))
    if unsubscribe is not None:
        parts.append(
            f'<p style="color:#666;font-size:smaller">{escape(wording.common("unsubscribe", reader))}'
            f' <a href="{escape(unsubscribe)}">{escape(wording.common("page_button", reader))}</a></p>'
        )
    language = wording.language_of(reader.language)
    head = f'<meta charset="utf-8"><title>{escape(text.subject)}</title>'
    return f'<!doctype html><html lang="{language}"><head>{head}</head><body>{"".join(parts)}</body></html>'


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
