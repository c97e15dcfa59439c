"""Identity: access tokens, and the actor behind a request or a socket."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import timedelta
from typing import Any
from uuid import UUID

import jwt

from domain import errors, ids, ports
from domain.actor import Actor, Audience, Role

ISSUER = "nimrod"
ALGORITHM = "HS256"
_CACHE_SIZE = 10_000
_ACCOUNTS = {Audience.CUSTOMER: ids.CUSTOMER, Audience.OPS: ids.STAFF}


class InvalidToken(Exception):
    """The access token is not one of ours, or has expired. Sign in or refresh the session."""


class AccessTokens:
    """Signs and reads access tokens: JWT, one audience and one account each, good for minutes."""

    def __init__(self, secret: bytes, clock: ports.Clock, *, minutes: int) -> None:
        self._key = hashlib.sha256(b"nimrod access token" + secret).digest()
        self._clock = clock
        self._lifetime = timedelta(minutes=minutes)
        self._seen: OrderedDict[str, tuple[Actor, float]] = OrderedDict()

    def access_token(self, who: Actor) -> tuple[str, int]:
        now = self._clock.now()
        claims = {
            "iss": ISSUER,
            "aud": who.audience.value,
            "sub": ids.encode(_ACCOUNTS[who.audience], who.account_id),
            "sid": str(who.session_id),
            "role": who.role.value,
            "metros": None if who.metro_ids is None else sorted(ids.encode(ids.METRO, one) for one in who.metro_ids),
            "iat": now,
            "exp": now + self._lifetime,
        }
        return jwt.encode(claims, self._key, ALGORITHM), int(self._lifetime.total_seconds())

    def actor_of(self, token: str) -> tuple[Actor, float]:
        """The actor and the epoch second at which the token expires. Raises InvalidToken."""
        now = self._clock.now().timestamp()
        if (seen := self._seen.get(token)) is None:
            seen = self._seen[token] = self._read(token)
            if len(self._seen) > _CACHE_SIZE:
                self._seen.popitem(last=False)
        if seen[1] <= now:
            raise InvalidToken("The access token has expired. Refresh the session.")
        return seen

    def _read(self, token: str) -> tuple[Actor, float]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[ALGORITHM],
                audience=[one.value for one in Audience],
                issuer=ISSUER,
                # The expiry is compared with our own clock, also for tokens read before.
                options={"require": ["exp", "aud", "sub"], "verify_exp": False, "verify_iat": False},
            )
            audience = Audience(claims["aud"])
            metros = claims["metros"]
            who = Actor(
                audience=audience,
                account_id=ids.decode(claims["sub"], _ACCOUNTS[audience]),
                role=Role(claims["role"]),
                session_id=UUID(claims["sid"]),
                metro_ids=None if metros is None else frozenset(ids.decode(one, ids.METRO) for one in metros),
            )
        except (jwt.InvalidTokenError, errors.DomainError, KeyError, ValueError) as error:
            raise InvalidToken("The access token is not valid. Sign in again.") from error
        return who, float(claims["exp"])


def bearer_of(header: str | None) -> str | None:
    """The token of an `Authorization` header; None without one. Raises InvalidToken for another scheme."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken("Send the token as `Authorization: Bearer …`.")
    return token.strip()
