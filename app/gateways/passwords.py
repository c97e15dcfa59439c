"""Password hashes: argon2, off the event loop, two at a time."""

from __future__ import annotations

import asyncio

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError

#: argon2 takes tens of MiB and a core for tens of milliseconds: more at a time would starve everything else
AT_A_TIME = 2


class Argon2Hasher:
    def __init__(self) -> None:
        self._hash = PasswordHash.recommended()
        self._gate = asyncio.Semaphore(AT_A_TIME)
        #: verified against where there is no account, so that its absence cannot be told by the clock
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        async with self._gate:
            return await asyncio.to_thread(self._hash.hash, password)

    async def verify(self, password: str, hashed: str | None) -> bool:
        async with self._gate:
            return await asyncio.to_thread(self._verify, password, hashed)

    def _verify(self, password: str, hashed: str | None) -> bool:
        if hashed is None:
            self._nobody = self._nobody or self._hash.hash("nobody's password")
            self._hash.verify(password, self._nobody)
            return False
        try:
            return self._hash.verify(password, hashed)
        except UnknownHashError:
            return False
