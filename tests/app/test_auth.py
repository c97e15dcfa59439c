"""Identity: tokens that are good, run out, are forged, or are none."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest

from app import demo
from app.auth import AccessTokens, InvalidToken, bearer_of
from domain.actor import Actor, Audience, Role
from tests.conftest import FixedClock
from tests.journeys import documents, hosting
from tests.journeys.clients import Api
from tests.live import LiveServer

RIDER = Actor(Audience.CUSTOMER, uuid4(), Role.RIDER, uuid4(), None)
STAFF = Actor(Audience.OPS, uuid4(), Role.DISPATCHER, uuid4(), frozenset({uuid4(), uuid4()}))
REFRESH = """mutation($token: String!) { customer { refreshSession(input: { refreshToken: $token }) {
  __typename ... on RefreshSessionSuccess { accessToken refreshToken } ... on UserError { message } } } }"""
SIGN_OUT = "mutation { customer { signOut { __typename } } }"


@pytest.fixture
def tokens(clock: FixedClock) -> AccessTokens:
    return AccessTokens(b"a secret", clock, minutes=15)


@pytest.mark.parametrize("who", [RIDER, STAFF])
def test_a_token_brings_back_the_actor_it_was_signed_for(tokens: AccessTokens, clock: FixedClock, who: Actor) -> None:
    token, seconds = tokens.access_token(who)
    found, expires_at = tokens.actor_of(token)
    assert (found, seconds) == (who, 900)
    assert expires_at == (clock.instant + timedelta(minutes=15)).timestamp()


def test_a_token_runs_out_also_when_it_was_read_before(tokens: AccessTokens, clock: FixedClock) -> None:
    token, _ = tokens.access_token(RIDER)
    clock.advance(minutes=14, seconds=59)
    assert tokens.actor_of(token)[0] == RIDER
    clock.advance(seconds=1)
    with pytest.raises(InvalidToken, match="expired"):
        tokens.actor_of(token)


def _claims(tokens: AccessTokens) -> dict[str, Any]:
    return dict(jwt.decode(tokens.access_token(RIDER)[0], options={"verify_signature": False}))


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "another"},
        {"aud": "admin"},
        {"aud": "ops"},
        {"role": "KING"},
        {"sub": "customer_garbage"},
        {"sub": None},
        {"sid": "1"},
        {"metros": ["metro_garbage"]},
        {"exp": None},
    ],
)
def test_a_token_with_one_wrong_claim_is_none(tokens: AccessTokens, change: dict[str, Any]) -> None:
    claims = {**_claims(tokens), **change}
    forged = jwt.encode({name: value for name, value in claims.items() if value is not None}, tokens._key, "HS256")
    with pytest.raises(InvalidToken):
        tokens.actor_of(forged)


def test_a_token_of_another_key_or_of_no_algorithm_is_none(tokens: AccessTokens, clock: FixedClock) -> None:
    foreign, _ = AccessTokens(b"another secret", clock, minutes=15).access_token(RIDER)
    unsigned = jwt.encode(_claims(tokens), "", "none")
    for token in (foreign, unsigned, "", "garbage", "a.b.c", foreign[:-1], "ä"):
        with pytest.raises(InvalidToken):
            tokens.actor_of(token)


def test_a_header_of_another_scheme_is_refused_and_none_is_anonymous() -> None:
    assert bearer_of(None) is None
    assert bearer_of("bearer  abc ") == "abc"
    for header in ("", "Bearer", "Bearer ", "Basic abc", "abc"):
        with pytest.raises(InvalidToken):
            bearer_of(header)


@pytest.mark.parametrize("header", ["Bearer garbage", "Basic YTpi", "Bearer", "expired"])
async def test_a_bad_token_is_401_whatever_is_asked(live_server: LiveServer, header: str) -> None:
    if header == "expired":
        header = f"Bearer {await hosting.rider_token(live_server, expires_in_seconds=-1)}"
    api = Api(live_server.graphql_url)
    for document in (documents.METROS, documents.VIEWER, "{"):
        response = await api.post(document, {"Authorization": header})
        assert response.status_code == 401
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert "data" not in response.json()


async def test_a_refresh_token_works_once_and_used_twice_ends_its_session(live_server: LiveServer) -> None:
    api = Api(live_server.graphql_url)
    first = await api.run(documents.SIGN_IN, input={"email": "RIDER3@nimrod.example ", "password": demo.PASSWORD})
    second = await api.run(REFRESH, token=first["refreshToken"])
    assert (await Api(api.url, second["accessToken"]).run(documents.VIEWER))["email"] == "rider3@nimrod.example"
    third = await api.run(REFRESH, token=second["refreshToken"])
    assert third["__typename"] == "RefreshSessionSuccess"
    for spent in (second["refreshToken"], third["refreshToken"], "garbage", "", "\x00"):
        assert (await api.run(REFRESH, token=spent))["__typename"] == "SessionEndedError"


async def test_of_many_who_refresh_at_once_with_one_token_at_most_one_goes_on(live_server: LiveServer) -> None:
    api = Api(live_server.graphql_url)
    first = await api.run(documents.SIGN_IN, input={"email": "rider3@nimrod.example", "password": demo.PASSWORD})
    answers = await asyncio.gather(*(api.run(REFRESH, token=first["refreshToken"]) for _ in range(10)))
    assert [answer["__typename"] for answer in answers].count("RefreshSessionSuccess") == 1


async def test_signing_out_ends_the_session(live_server: LiveServer) -> None:
    api = Api(live_server.graphql_url)
    signed_in = await api.run(documents.SIGN_IN, input={"email": "rider4@nimrod.example", "password": demo.PASSWORD})
    rider = Api(api.url, signed_in["accessToken"])
    assert (await rider.run(SIGN_OUT))["__typename"] == "SignOutSuccess"
    assert (await api.run(REFRESH, token=signed_in["refreshToken"]))["__typename"] == "SessionEndedError"


async def test_an_unknown_account_and_a_wrong_password_are_told_the_same(live_server: LiveServer) -> None:
    api = Api(live_server.graphql_url)
    wrong = [
        await api.run(documents.SIGN_IN, input={"email": email, "password": "wrong"})
        for email in ("rider4@nimrod.example", "nobody@nimrod.example", "dispatcher@nimrod.example")
    ]
    assert [answer["__typename"] for answer in wrong] == ["InvalidCredentialsError"] * 3
    assert len({answer["message"] for answer in wrong}) == 1
