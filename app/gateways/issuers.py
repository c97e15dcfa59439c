"""Issuers: what is checked of the ID tokens by which outside OpenID Connect issuers say who somebody is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

from app.gateways.issuer_keys import IssuerKeys, Jwk
from domain import errors, ports
from domain.actor import Audience
from domain.ports import Identity
from domain.values import is_storable

#: Asymmetric ones alone: with a shared secret or `none`, whoever knows what is public could sign
ALGORITHMS: dict[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
}
MAX_SUBJECT = 255
MAX_EMAIL = 320
MAX_NAME = 100
MAX_VALUES = 100
#: the claims are compared with our own clock, and typed by us
_SIGNATURE_ALONE: Any = {
    "enforce_minimum_key_length": True,
    **dict.fromkeys(("verify_exp", "verify_nbf", "verify_iat", "verify_aud", "verify_iss", "verify_sub", "verify_jti"), False),
}
_NO_CHECK: Any = {**_SIGNATURE_ALONE, "verify_signature": False}


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    url: str
    #: which front end its tokens must be for
    client_id: str
    role_claim: str = "role"
    metros_claim: str = "metros"


def _refused(why: str) -> errors.IdentityTokenRefused:
    return errors.IdentityTokenRefused(why, path="idToken")


class Issuers:
    """The issuers that a deployment trusts, one for each audience, and what they say."""

    def __init__(
        self, trusted: Mapping[Audience, TrustedIssuer], clock: ports.Clock, *, skew_seconds: int, max_age_seconds: int
    ) -> None:
        self._trusted = trusted
        self._clock = clock
        self._skew = skew_seconds
        self._max_age = max_age_seconds
        self._keys = {one.url: IssuerKeys(one.url, clock) for one in trusted.values()}

    async def identify(self, audience: Audience, id_token: str, *, nonce: str | None) -> Identity:
        trusted = self._trusted.get(audience)
        if trusted is None:
            raise errors.IssuerNotConfigured
        # Before anything is fetched: what cannot be good costs the issuer nothing.
        claims = _unverified(id_token)
        self._check(claims, trusted, nonce)
        if await self._keys[trusted.url].find(_Signature(id_token).is_by) is None:
            raise _refused("The ID token is not signed with a key that its issuer publishes.")
        return _identity_of(claims, trusted)

    def _check(self, claims: dict[str, Any], trusted: TrustedIssuer, nonce: str | None) -> None:
        if claims.get("iss") != trusted.url:
            raise _refused(f"The ID token is not of {trusted.url}, whose sign-ins are taken here.")
        _check_audience(claims, trusted.client_id)
        self._check_times(claims, self._clock.now())
        if claims.get("nonce") != nonce:
            raise _refused("The nonce of the ID token is not the one given: pass that of the authentication request.")
        subject = claims.get("sub")
        if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT or not is_storable(subject):
            raise _refused(f"The ID token has no `sub` of 1 to {MAX_SUBJECT} characters.")

    def _check_times(self, claims: dict[str, Any], now: datetime) -> None:
        at, skew = now.timestamp(), self._skew
        issued_at = _seconds(claims, "iat")
        if _seconds(claims, "exp") + skew <= at:
            raise _refused("The ID token has expired. Sign in at the issuer again.")
        if issued_at - skew > at or ("nbf" in claims and _seconds(claims, "nbf") - skew > at):
            raise _refused(f"The ID token is of the future: its issuer's clock and ours are more than {skew} s apart.")
        if issued_at + self._max_age + skew < at:
            raise _refused(f"The ID token was issued more than {self._max_age} s ago. Sign in at the issuer again.")


class _Signature:
    """The signature of a token, to be tried with keys of its issuer."""

    def __init__(self, token: str) -> None:
        self._token = token
        header = jwt.get_unverified_header(token)
        self._algorithm: str = header["alg"]
        self._key_id = header.get("kid")

    def is_by(self, key: Jwk) -> bool:
        kind, curve = ALGORITHMS[self._algorithm]
        if key.get("kty") != kind or (curve is not None and key.get("crv") != curve):
            return False
        if key.get("alg", self._algorithm) != self._algorithm or key.get("use", "sig") != "sig":
            return False
        if self._key_id is not None and key.get("kid") != self._key_id:
            return False
        try:
            jwt.decode(self._token, jwt.PyJWK(key, self._algorithm), algorithms=[self._algorithm], options=_SIGNATURE_ALONE)
        except (jwt.PyJWTError, ValueError, TypeError):
            return False
        return True


def _unverified(token: str) -> dict[str, Any]:
    """What a token claims, before anybody has checked who signed it."""
    try:
        algorithm = jwt.get_unverified_header(token).get("alg")
        claims: dict[str, Any] = jwt.decode(token, options=_NO_CHECK)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise _refused("That is no ID token: a JSON Web Token in its compact form, signed by the issuer.") from error
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise _refused(f"The ID token is not signed in a way that is taken here: {', '.join(ALGORITHMS)}.")
    return claims


def _check_audience(claims: dict[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if client_id not in named:
        raise _refused("The ID token is for another client: get one with the client id of this front end.")
    if len(named) > 1 and claims.get("azp") != client_id:
        raise _refused("The ID token is for several clients, and `azp` does not say that this front end asked for it.")


def _seconds(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or abs(value) > 1e12:
        raise _refused(f"The ID token has no `{name}` in seconds since 1970.")
    return float(value)


def _identity_of(claims: dict[str, Any], trusted: TrustedIssuer) -> Identity:
    metros = claims.get(trusted.metros_claim)
    return Identity(
        issuer=trusted.url,
        subject=claims["sub"],
        email=_text(claims, "email", MAX_EMAIL),
        # Some issuers spell it as text.
        is_email_verified=claims.get("email_verified") is True or claims.get("email_verified") == "true",
        name=_text(claims, "name", MAX_NAME) or _text(claims, "given_name", MAX_NAME),
        language=_text(claims, "locale", MAX_NAME),
        roles=_texts(claims.get(trusted.role_claim)),
        metros=None if metros is None else _texts(metros),
    )


def _text(claims: dict[str, Any], name: str, longest: int) -> str | None:
    value = claims.get(name)
    if not isinstance(value, str) or not is_storable(value) or not 1 <= len(value.strip()) <= longest:
        return None
    return value.strip()


def _texts(value: Any) -> tuple[str, ...]:
    """A claim of one value or of several."""
    values = value if isinstance(value, list) else [value]
    return tuple(one for one in values[:MAX_VALUES] if isinstance(one, str) and is_storable(one))
