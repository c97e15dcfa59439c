"""Files: what is sent to and fetched from links that the service gives out."""

from __future__ import annotations

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import httpx

from app.terminal.client import ClientError

SECONDS = 30.0
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SCHEMES = {"ws": "http", "wss": "https"}


class Files:
    """The link is the permission: no token goes along."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        # A proxy knows nothing of this machine.
        self._http = httpx.AsyncClient(timeout=SECONDS, trust_env=urlsplit(server_url).hostname not in _LOOPBACK)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.aclose()

    async def upload(self, link: str, content: bytes) -> None:
        """Raises ClientError with what the service says against it."""
        await self._ask("PUT", link, content)

    async def download(self, link: str) -> bytes:
        """Raises ClientError."""
        return (await self._ask("GET", link)).content

    async def _ask(self, method: str, link: str, content: bytes | None = None) -> httpx.Response:
        url = reached(link, self._server_url)
        try:
            response = await self._http.request(method, url, content=content)
        except httpx.TransportError as error:
            raise ClientError(f"{url} does not answer: {error!r}") from None
        if response.is_error:
            raise ClientError(f"{url} answers {response.status_code}: {response.text[:200]}")
        return response


def reached(link: str, server_url: str) -> str:
    """A server that knows no public address of its own names this machine: then it is meant itself."""
    server, parts = urlsplit(server_url), urlsplit(link)
    if parts.hostname is not None and parts.hostname not in _LOOPBACK:
        return link
    return urlunsplit((_SCHEMES.get(server.scheme, server.scheme), server.netloc, parts.path, parts.query, ""))
