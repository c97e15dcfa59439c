"""The link: one account's way to the service, over the next server and a new socket whenever one is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from app.terminal.client import ClientError, ConnectionLost, Data, OperationFailed, ServerAway, Socket, TokenRefused

#: first and longest pause before trying again
PAUSE_SECONDS = (0.1, 2.0)
SIGN_IN = """
mutation($input: SignInInput!) { %s { signIn(input: $input) {
  ... on SignInSuccess { accessToken } ... on UserError { message }
} } }
"""
_TRANSIENT = "UNAVAILABLE"
_RATE_LIMITED = "RATE_LIMITED"


@dataclass(frozen=True, slots=True)
class Account:
    """Who signs in when no token is given."""

    audience: str
    email: str
    password: str


class Link:
    """Runs operations as if nothing could break, for as long as `patience_seconds` after it broke."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        token: str | None,
        account: Account,
        tell: Callable[[str], None],
        patience_seconds: float,
    ) -> None:
        self._urls = urls
        self._given_token = token
        self._token = token
        self._account = account
        self._tell = tell
        self._patience_seconds = patience_seconds
        self._at = 0
        self._socket: Socket | None = None
        self._was_connected = False
        self._failing_since: float | None = None
        self._pause = PAUSE_SECONDS[0]

    async def execute(self, document: str, variables: Data | None = None) -> Data:
        """The data. When the connection was lost the operation is sent again: it must bear that."""
        while True:
            try:
                data = await (await self._connected()).execute(document, variables)
            except ClientError as error:
                await self._recover(error)
            else:
                self._succeeded()
                return data

    async def follow(self, field: str, document: str, variables: Data, after: str) -> AsyncGenerator[Data, None]:
        """The events of a stream behind a cursor, each once, across lost connections."""
        while True:
            try:
                socket = await self._connected()
                async with aclosing(socket.stream(document, {**variables, "after": after})) as results:
                    async for data in results:
                        self._succeeded()
                        after = data[field]["cursor"]
                        yield data[field]
                raise ConnectionLost("The server ended the stream.")
            except ClientError as error:
                await self._recover(error)

    @property
    def url(self) -> str:
        """Of the server that it speaks to."""
        return self._urls[self._at % len(self._urls)]

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()

    def _succeeded(self) -> None:
        self._failing_since, self._pause = None, PAUSE_SECONDS[0]

    async def _connected(self) -> Socket:
        if self._socket is not None:
            if not self._socket.is_lost:
                return self._socket
            await self._socket.close()
            self._at += 1
            self._socket = None
        if self._token is None:
            self._token = await self._sign_in()
        self._socket = await self._open(self._token)
        self._was_connected = True
        return self._socket

    async def _open(self, token: str | None) -> Socket:
        """A socket to the first server that answers, beginning with the one whose turn it is."""
        for tried in range(len(self._urls)):
            try:
                opened = await Socket.open(self._urls[(self._at + tried) % len(self._urls)], token)
            except ServerAway as error:
                away = error
            else:
                self._at += tried
                return opened
        raise away

    async def _sign_in(self) -> str:
        socket = await self._open(None)
        try:
            credentials = {"email": self._account.email, "password": self._account.password}
            data = await socket.execute(SIGN_IN % self._account.audience, {"input": credentials})
        finally:
            await socket.close()
        answer = data[self._account.audience]["signIn"]
        if "accessToken" not in answer:
            raise ClientError(
                f"{self._account.email} cannot sign in: {answer['message']} Set NIMROD_TOKEN to use another account."
            )
        token: str = answer["accessToken"]
        return token

    async def _recover(self, error: ClientError) -> None:
        """Returns when it is worth another try; else raises the error."""
        if isinstance(error, OperationFailed) and error.code == _RATE_LIMITED and error.retry_after_seconds:
            self._tell(f"Too many sign-ins: waiting {error.retry_after_seconds} s…")
            await asyncio.sleep(error.retry_after_seconds)
            return
        if isinstance(error, TokenRefused) and self._given_token is None and self._failing_since is None and self._token:
            self._token = None  # it has expired: sign in again
        elif not _is_transient(error) or not self._was_connected:
            raise error
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
            if self._token is not None:
                self._tell(f"{error} Trying again…")
        elif now - self._failing_since > self._patience_seconds:
            raise error
        await asyncio.sleep(self._pause)
        self._pause = min(self._pause * 2, PAUSE_SECONDS[1])


def _is_transient(error: ClientError) -> bool:
    return isinstance(error, ServerAway | ConnectionLost) or (isinstance(error, OperationFailed) and error.code == _TRANSIENT)
