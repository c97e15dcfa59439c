"""Cursors: opaque, signed names of a position in the event log and of a place in a list."""

from __future__ import annotations

import hashlib
import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode

from domain import errors, eventlog

_MAC_BYTES = 8
_POSITION = struct.Struct(">IQQ")


class CursorCodec:
    """Signed, so that a cursor is only ever one that this service gave out."""

    def __init__(self, key: bytes) -> None:
        self._mac = hmac.new(hashlib.sha256(b"nimrod cursor" + key).digest(), digestmod=hashlib.sha256)

    def _sign(self, body: bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(body)
        return mac.digest()[:_MAC_BYTES]

    def _seal(self, body: bytes) -> str:
        return urlsafe_b64encode(body + self._sign(body)).decode().rstrip("=")

    def _open(self, cursor: str, path: str) -> bytes:
        try:
            sealed = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except ValueError:
            sealed = b""
        body = sealed[:-_MAC_BYTES]
        # As text: several texts decode to the same bytes, and only one of them was given out.
        if not body or not hmac.compare_digest(self._seal(body).encode(), cursor.encode(errors="replace")):
            raise errors.InvalidInput.of(path, f"{path} is not a cursor that this service gave out.")
        return body

    def of_position(self, position: eventlog.Position) -> str:
        return self._seal(b"P" + _POSITION.pack(position.epoch, position.xid, position.seq))

    def position(self, cursor: str, *, path: str = "after") -> eventlog.Position:
        """Raises InvalidInput for anything that is not a stream cursor of ours."""
        body = self._open(cursor, path)
        if body[:1] != b"P" or len(body) != 1 + _POSITION.size:
            raise errors.InvalidInput.of(path, f"{path} is a cursor of a list, not of a stream.")
        return eventlog.Position(*_POSITION.unpack(body[1:]))

    def of_key(self, key: bytes) -> str:
        """A cursor for keyset paging: `key` is what the list is ordered by."""
        return self._seal(b"K" + key)

    def key(self, cursor: str, *, path: str = "after") -> bytes:
        body = self._open(cursor, path)
        if body[:1] != b"K":
            raise errors.InvalidInput.of(path, f"{path} is a cursor of a stream, not of a list.")
        return body[1:]
