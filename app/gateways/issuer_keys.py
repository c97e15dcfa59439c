"""Keys of an outside issuer: discovered, fetched, kept, and fetched again when it has changed them."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

from domain import errors, ports

logger = logging.getLogger(__name__)

Jwk = dict[str, Any]

DISCOVERY = "/.well-known/openid-configuration"
FETCH_SECONDS = 5.0
MAX_BYTES = 262_144
MAX_KEYS = 50
#: after which they are fetched again though they still fit
FRESH = timedelta(hours=1)
#: between two fetches, whatever tokens are shown: nobody makes us knock at the issuer's door more often
PAUSE = timedelta(seconds=10)
#: how long they are good while the issuer is down
STALE = timedelta(hours=24)
#: what is compressed could be small until it is opened
_ASKED = {"accept": "application/json", "accept-encoding": "identity"}
_KEY_TYPES = {"RSA", "EC", "OKP"}


class IssuerUnreachable(Exception):
    """The issuer does not answer, or not with what an issuer answers."""


class IssuerKeys:
    """One fetch at a time, for all who wait for it; who can do without goes on with the keys there are."""

    def __init__(self, issuer: str, clock: ports.Clock) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: list[Jwk] = []
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._fails = False
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, is_signer: Callable[[Jwk], bool]) -> Jwk | None:
        """The key that has signed, which `is_signer` tells; None when the issuer publishes no such key. Raises OutOfReach when
        the issuer cannot be asked: the key may be one that it has changed to since."""
        found = self._among(is_signer)
        if found is not None and (self._is_within(FRESH, self._fetched_at) or not self._may_fetch()):
            return found
        if self._may_fetch():
            self._tried_at = self._clock.now()
            self._fetching = asyncio.create_task(self._fetch(), name="issuer keys")
        if self._fetching is not None:
            # Others wait for it too: it goes on when this request is given up.
            await asyncio.shield(self._fetching)
        found = self._among(is_signer)
        if found is None and self._fails:
            raise errors.OutOfReach("The issuer of the ID token does not answer. Nothing was changed; try again.")
        return found

    def _among(self, is_signer: Callable[[Jwk], bool]) -> Jwk | None:
        if not self._is_within(STALE, self._fetched_at):
            return None
        return next((key for key in self._keys if is_signer(key)), None)

    def _is_within(self, duration: timedelta, instant: datetime | None) -> bool:
        return instant is not None and self._clock.now() - instant < duration

    def _may_fetch(self) -> bool:
        is_fetching = self._fetching is not None and not self._fetching.done()
        return not is_fetching and not self._is_within(PAUSE, self._tried_at)

    async def _fetch(self) -> None:
        try:
            self._keys = await fetch_keys(self._issuer)
        except IssuerUnreachable as error:
            self._fails = True
            logger.warning("issuer does not answer", extra={"issuer": self._issuer, "error": str(error)})
        else:
            self._fails = False
            self._fetched_at = self._clock.now()


async def fetch_keys(issuer: str) -> list[Jwk]:
    """The public keys that an issuer's discovery document leads to. Raises IssuerUnreachable."""
    try:
        async with asyncio.timeout(FETCH_SECONDS), httpx.AsyncClient(timeout=FETCH_SECONDS, verify=_tls()) as client:
            document = await _get(client, issuer.rstrip("/") + DISCOVERY)
            if document.get("issuer") != issuer:
                raise IssuerUnreachable(f"its discovery document is that of {str(document.get('issuer'))[:200]!r}")
            address = document.get("jwks_uri")
            if not isinstance(address, str) or not _is_as_safe(address, issuer):
                raise IssuerUnreachable("its discovery document has no jwks_uri to be fetched as safely as itself")
            listed = (await _get(client, address)).get("keys")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        raise IssuerUnreachable(repr(error)) from error
    keys = [key for key in listed if isinstance(key, dict) and key.get("kty") in _KEY_TYPES] if isinstance(listed, list) else []
    if not 1 <= len(keys) <= MAX_KEYS:
        raise IssuerUnreachable(f"it publishes {len(keys)} keys; 1 to {MAX_KEYS} are taken")
    return keys


@cache
def _tls() -> ssl.SSLContext:
    # Reading all certificates of the machine takes tens of milliseconds.
    return httpx.create_ssl_context()


def _is_as_safe(address: str, issuer: str) -> bool:
    try:
        scheme = urlsplit(address).scheme
    except ValueError:
        return False
    return scheme == "https" or (scheme == "http" and urlsplit(issuer).scheme == "http")


async def _get(client: httpx.AsyncClient, address: str) -> dict[str, Any]:
    """A JSON object. Redirects are not followed: an issuer says itself where its keys are."""
    body = bytearray()
    async with client.stream("GET", address, headers=_ASKED) as response:
        if response.status_code != httpx.codes.OK:
            raise IssuerUnreachable(f"{address} answers {response.status_code}")
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MAX_BYTES:
                raise IssuerUnreachable(f"{address} answers more than {MAX_BYTES} bytes")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise IssuerUnreachable(f"{address} answers no JSON") from error
    if not isinstance(document, dict):
        raise IssuerUnreachable(f"{address} answers no JSON object")
    return document
