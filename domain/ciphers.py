"""Ciphers: texts that may only be kept unreadable: encrypted until they are done with, or as a digest that shows doubles."""

from __future__ import annotations

import hashlib
import hmac
import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class Cipher:
    """Under a key of the service, the same in every process; one purpose cannot read what another wrote."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key = hashlib.sha256(b"nimrod cipher" + purpose.encode() + b"\0" + key).digest()
        self._aead = AESGCM(self._key)

    def digest(self, text: str) -> bytes:
        """The same for the same text; who has no key cannot try texts out."""
        return hmac.new(self._key, b"digest" + text.encode(), hashlib.sha256).digest()

    def encrypt(self, text: str, *, row_id: UUID) -> bytes:
        """Only good in the row of that id."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, text.encode(), row_id.bytes)

    def decrypt(self, encrypted: bytes, *, row_id: UUID) -> str | None:
        """None when it was written under another key (which was changed since), or moved from another row."""
        try:
            return self._aead.decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], row_id.bytes).decode()
        except InvalidTag:
            return None
