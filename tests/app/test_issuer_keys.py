"""Keys of an issuer: changed under our feet, asked for seldom, and kept while the issuer is down."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.gateways import issuer_keys
from app.gateways.issuer_keys import DISCOVERY, FRESH, MAX_BYTES, PAUSE, STALE, IssuerUnreachable, fetch_keys
from app.gateways.issuers import Issuers, TrustedIssuer
from domain import errors
from domain.actor import Audience
from tests.conftest import FixedClock
from tests.issuing import CLIENT, KeyIssuer

PAUSE_SECONDS = PAUSE.total_seconds()


@pytest.fixture
def issuers(issuer: KeyIssuer, clock: FixedClock) -> Issuers:
    return Issuers({Audience.CUSTOMER: TrustedIssuer(issuer.url, CLIENT)}, clock, skew_seconds=60, max_age_seconds=600)


async def verdict(issuers: Issuers, token: str) -> str:
    try:
        await issuers.identify(Audience.CUSTOMER, token, nonce=None)
    except (errors.IdentityTokenRefused, errors.OutOfReach) as error:
        return type(error).__name__
    return "good"


@pytest.mark.parametrize("kid", ["second", "first", None])
async def test_a_changed_key_is_found_by_the_first_token_that_it_signs(
    issuers: Issuers, issuer: KeyIssuer, clock: FixedClock, kid: str | None
) -> None:
    """Also a key of the same id, or of none."""
    before = issuer.token()
    assert await verdict(issuers, before) == "good"
    clock.advance(seconds=PAUSE_SECONDS)
    issuer.rotate(kid)
    assert await verdict(issuers, issuer.token()) == "good"
    assert await verdict(issuers, before) == "IdentityTokenRefused"
    assert len(issuer.asked) == 4


async def test_a_key_that_is_withdrawn_is_forgotten_within_the_hour(
    issuers: Issuers, issuer: KeyIssuer, clock: FixedClock
) -> None:
    withdrawn = issuer.keys[0]
    assert await verdict(issuers, issuer.token()) == "good"
    issuer.rotate("second")
    clock.advance(seconds=FRESH.total_seconds())
    assert await verdict(issuers, issuer.token(by=withdrawn)) == "IdentityTokenRefused"


async def test_tokens_of_unknown_keys_make_nobody_knock_at_the_issuers_door(
    issuers: Issuers, issuer: KeyIssuer, clock: FixedClock
) -> None:
    assert await verdict(issuers, issuer.token()) == "good"
    clock.advance(seconds=PAUSE_SECONDS)
    forged = [issuer.token(kid=f"unknown-{number}") for number in range(20)]
    assert set(await asyncio.gather(*(verdict(issuers, one) for one in forged))) == {"IdentityTokenRefused"}
    assert len(issuer.asked) == 4
    clock.advance(seconds=PAUSE_SECONDS)
    assert await verdict(issuers, forged[0]) == "IdentityTokenRefused"
    assert len(issuer.asked) == 6


async def test_many_who_come_first_wait_for_one_fetch(issuers: Issuers, issuer: KeyIssuer) -> None:
    issuer.is_open.clear()
    many = [asyncio.create_task(verdict(issuers, issuer.token(sub=f"rider-{number}"))) for number in range(20)]
    while not issuer.asked:
        await asyncio.sleep(0.01)
    issuer.is_open.set()
    assert set(await asyncio.gather(*many)) == {"good"}
    assert issuer.asked == [DISCOVERY, "/keys"]


async def test_who_gives_up_waiting_takes_the_fetch_from_nobody(issuers: Issuers, issuer: KeyIssuer) -> None:
    issuer.is_open.clear()
    first, second = (asyncio.create_task(verdict(issuers, issuer.token())) for _ in range(2))
    while not issuer.asked:
        await asyncio.sleep(0.01)
    first.cancel()
    issuer.is_open.set()
    assert await second == "good"


async def test_while_the_issuer_is_down_the_keys_of_before_are_good_for_a_day(
    issuers: Issuers, issuer: KeyIssuer, clock: FixedClock
) -> None:
    assert await verdict(issuers, issuer.token()) == "good"
    issuer.break_down()
    clock.advance(seconds=STALE.total_seconds() - 1)
    assert await verdict(issuers, issuer.token()) == "good"
    assert await verdict(issuers, issuer.token(kid="unknown")) == "OutOfReach"
    clock.advance(seconds=1)
    assert await verdict(issuers, issuer.token()) == "OutOfReach"
    issuer.recover()
    assert await verdict(issuers, issuer.token()) == "OutOfReach"
    clock.advance(seconds=PAUSE_SECONDS)
    assert await verdict(issuers, issuer.token()) == "good"


async def test_an_issuer_that_hangs_is_given_up(issuers: Issuers, issuer: KeyIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_keys, "FETCH_SECONDS", 0.1)
    issuer.is_open.clear()
    assert await verdict(issuers, issuer.token()) == "OutOfReach"


async def test_an_issuer_that_is_not_there_is_out_of_reach(clock: FixedClock) -> None:
    nobody = KeyIssuer(clock)
    nobody.url = "http://127.0.0.1:9"
    absent = Issuers({Audience.CUSTOMER: TrustedIssuer(nobody.url, CLIENT)}, clock, skew_seconds=60, max_age_seconds=600)
    assert await verdict(absent, nobody.token()) == "OutOfReach"


def a_document(**given: object) -> bytes:
    return json.dumps(given).encode()


async def test_what_is_no_issuers_answer_is_not_believed(issuer: KeyIssuer) -> None:
    keys = f"{issuer.url}/keys"
    answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = {
        DISCOVERY: [
            (200, {}, a_document(issuer="https://evil.example", jwks_uri=keys)),
            (200, {}, a_document(issuer=f"{issuer.url}/", jwks_uri=keys)),
            (200, {}, a_document(jwks_uri=keys)),
            (200, {}, a_document(issuer=issuer.url)),
            (200, {}, a_document(issuer=issuer.url, jwks_uri="file:///etc/passwd")),
            (200, {}, a_document(issuer=issuer.url, jwks_uri="http://[::1")),
            (302, {"location": keys}, b""),
            (200, {}, b"[]"),
            (200, {}, b"<html>"),
            (200, {}, b"[" * 100_000),
            (200, {}, b" " * (MAX_BYTES + 1)),
        ],
        "/keys": [
            (404, {}, b""),
            (200, {}, a_document(keys=[])),
            (200, {}, a_document(keys={"kty": "RSA"})),
            (200, {}, a_document(keys=[{"kty": "oct", "k": "c2VjcmV0"}, "RSA", None])),
            (200, {}, a_document(keys=[{"kty": "RSA"}] * 51)),
        ],
    }
    for path, listed in answers.items():
        for answer in listed:
            issuer.answers = {path: answer}
            with pytest.raises(IssuerUnreachable):
                await fetch_keys(issuer.url)
    issuer.answers = {}
    assert len(await fetch_keys(issuer.url)) == 1


@pytest.mark.parametrize(
    ("address", "issuer_url", "is_as_safe"),
    [
        ("https://keys.example/jwks", "https://issuer.example", True),
        ("http://keys.example/jwks", "https://issuer.example", False),
        ("http://127.0.0.1/jwks", "http://127.0.0.1", True),
    ],
)
def test_keys_are_fetched_as_safely_as_the_issuer_is_named(address: str, issuer_url: str, is_as_safe: bool) -> None:
    assert issuer_keys._is_as_safe(address, issuer_url) is is_as_safe
