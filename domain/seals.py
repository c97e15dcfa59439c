"""Seals: links and codes that we give out, which open one thing for one purpose, and of which nothing is stored.

A sealed token is the id of a row and a signature over purpose and id. The row says whether it is still good (expiry, single
use); neither the row nor a notification that carries its id opens anything by itself. Where the row cannot say it, because
the link is made whenever somebody looks, the token carries its last second, under the signature as well.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from domain import errors

_MAC_BYTES = 16
_ID_BYTES = 16
_SECOND_BYTES = 5


class Purpose(StrEnum):
    EMAIL_VERIFICATION = "email verification"
    PASSWORD_RESET = "password reset"  # noqa: S105 - the name of a purpose
    DATA_EXPORT = "data export"
    UNSUBSCRIBE = "unsubscribe"
    PHOTO_UPLOAD = "photo upload"
    PHOTO_VIEW = "photo view"
    RECEIPT_PDF = "receipt pdf"


class Seals:
    """Seals and opens with a key of the service, the same in every process."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.sha256(b"nimrod seal" + key).digest()

    def _mac(self, purpose: Purpose, body: bytes) -> bytes:
        return hmac.new(self._key, purpose.encode() + b"\0" + body, hashlib.sha256).digest()[:_MAC_BYTES]

    def _token(self, purpose: Purpose, body: bytes) -> str:
        return urlsafe_b64encode(body + self._mac(purpose, body)).decode().rstrip("=")

    def seal(self, purpose: Purpose, id: UUID) -> str:
        """Safe in a URL; 43 characters."""
        return self._token(purpose, id.bytes)

    def seal_until(self, purpose: Purpose, id: UUID, until: datetime) -> str:
        """Good to the second; 50 characters. It is opened by `open_until` alone."""
        return self._token(purpose, id.bytes + int(until.timestamp()).to_bytes(_SECOND_BYTES))

    def open(self, purpose: Purpose, token: str, *, path: str = "token") -> UUID:
        """The id behind a token. Raises LinkExpired for anything that was not sealed here for this purpose."""
        return UUID(bytes=self._body(purpose, token, _ID_BYTES, path))

    def open_until(self, purpose: Purpose, token: str, *, path: str = "token") -> tuple[UUID, datetime]:
        """The id behind a token, and when it stops being good. Raises LinkExpired as `open` does."""
        body = self._body(purpose, token, _ID_BYTES + _SECOND_BYTES, path)
        return UUID(bytes=body[:_ID_BYTES]), datetime.fromtimestamp(int.from_bytes(body[_ID_BYTES:]), UTC)

    def _body(self, purpose: Purpose, token: str, size: int, path: str) -> bytes:
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            sealed = b""
        body = sealed[:size]
        # As text: several texts decode to the same bytes, and only one of them was given out.
        if len(body) != size or not hmac.compare_digest(self._token(purpose, body).encode(), token.encode(errors="replace")):
            raise errors.LinkExpired(path=path)
        return body
