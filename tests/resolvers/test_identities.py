"""Identities: from the issuer's sign-in page to a session of ours, against a whole provider over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import jwt
import pyotp
import pytest

from app import database
from app.auth import AccessTokens
from app.doorbell import Doorbell
from app.main import build_runtime
from app.settings import Settings
from domain.actor import Actor, Audience
from resolvers.context import Ctx, Runtime
from resolvers.second_factors import confirm_second_factor, enroll_second_factor
from resolvers.streams import Feed
from schema import build
from tests import factories
from tests.conftest import FixedClock
from tests.issuing import CLIENT, Provider, part, signed_with_secret

#: what its release for Python 3.11 still uses of the library below it
pytestmark = [
    pytest.mark.filterwarnings("ignore:authlib.jose module:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:get_jwt_config:DeprecationWarning"),
]
OPS_CLIENT = "nimrod-desk"
PEOPLE: dict[str, dict[str, Any]] = {
    "ada": {"email": "ada@example.org", "email_verified": True, "name": "Ada", "locale": "fr"},
    "eve": {"email": "ada@example.org", "email_verified": False},
    "dora": {"email": "dora@example.org", "email_verified": True, "name": "Dora", "role": "dispatcher", "metros": ["berlin"]},
    "rex": {"email": "rex@example.org", "email_verified": True},
}
SIGN_IN = """
mutation($idToken: String!, $nonce: String) {
  %s {
    signInWithIdentityToken(input: { idToken: $idToken, nonce: $nonce }) {
      __typename
      ... on %sSignInWithIdentityTokenSuccess { accessToken refreshToken }
      ... on UserError { message path }
    }
  }
}
"""
LINK = """
mutation($input: LinkIdentityInput!) {
  customer {
    linkIdentity(input: $input) { __typename ... on UserError { path } }
  }
}
"""
UNLINK = """
mutation($id: ID!) {
  customer { unlinkIdentity(input: { identityId: $id }) { __typename } }
}
"""
REFRESH = """
mutation($token: String!) {
  customer { refreshSession(input: { refreshToken: $token }) { __typename } }
}
"""
END = """
mutation($id: ID!) {
  customer { endSession(input: { sessionId: $id }) { __typename } }
}
"""
SCHEMA = build.build()


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    made = Provider(PEOPLE)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def clock() -> FixedClock:
    """Stands at the real time, as the provider's tokens are of it."""
    made = FixedClock()
    made.instant = datetime.fromtimestamp(time.time(), UTC)
    return made


class Desk:
    """A process that trusts the provider, and what callers from some address do there."""

    def __init__(self, runtime: Runtime, tokens: AccessTokens) -> None:
        self.runtime = runtime
        self._tokens = tokens
        self.address = "192.0.2.1"

    def actor_of(self, token: str) -> Actor:
        return self._tokens.actor_of(token)[0]

    async def run(self, text: str, *, by: str | None = None, **variables: Any) -> Any:
        """What the innermost single field answers, or the code of the error."""
        actor = None if by is None else self.actor_of(by)
        context = Ctx(self.runtime, actor, self.address, "request")
        result = await SCHEMA.execute(text, variable_values=variables, context_value=context)
        if result.errors:
            return (result.errors[0].extensions or {}).get("code")
        (namespace,) = (result.data or {}).values()
        (found,) = namespace.values()
        return found

    async def sign_in(self, id_token: str, nonce: str | None = None, audience: Audience = Audience.CUSTOMER) -> Any:
        text = SIGN_IN % (audience.value, "Ops" if audience is Audience.OPS else "")
        return await self.run(text, idToken=id_token, nonce=nonce)


def desk_of(session_factory: database.SessionFactory, clock: FixedClock, **given: Any) -> Desk:
    settings = Settings(signing_key="k" * 32, **given)
    tokens = AccessTokens(settings.secret(), clock, minutes=5)
    feed = Feed(session_factory, Doorbell.at("memory://", ""))
    return Desk(build_runtime(settings, session_factory, tokens, feed, clock), tokens)


@pytest.fixture
async def desk(session_factory: database.SessionFactory, clock: FixedClock, provider: Provider) -> Desk:
    return desk_of(
        session_factory,
        clock,
        sign_in_tries_per_minute=20,
        oidc_customer_issuer=provider.url,
        oidc_customer_client_id=CLIENT,
        oidc_ops_issuer=provider.url,
        oidc_ops_client_id=OPS_CLIENT,
    )


async def test_a_rider_signs_in_and_has_a_session_as_any_other(desk: Desk, provider: Provider) -> None:
    answer = await desk.sign_in(await provider.sign_in("ada", nonce="n-1"), "n-1")
    assert answer["__typename"] == "SignInWithIdentityTokenSuccess"
    token = answer["accessToken"]
    viewer = await desk.run("{ customer { viewer { email language sessions { id isCurrent } } } }", by=token)
    assert (viewer["email"], viewer["language"]) == ("ada@example.org", "fr")
    assert [one["isCurrent"] for one in viewer["sessions"]] == [True]
    assert (await desk.run(REFRESH, token=answer["refreshToken"]))["__typename"] == "RefreshSessionSuccess"


async def test_the_session_can_be_ended_from_afar(desk: Desk, provider: Provider) -> None:
    id_token = await provider.sign_in("ada")
    first, second = await desk.sign_in(id_token), await desk.sign_in(id_token)
    viewer = await desk.run("{ customer { viewer { sessions { id isCurrent } } } }", by=first["accessToken"])
    (other,) = [one["id"] for one in viewer["sessions"] if not one["isCurrent"]]
    assert (await desk.run(END, by=first["accessToken"], id=other))["__typename"] == "EndSessionSuccess"
    assert (await desk.run(REFRESH, token=second["refreshToken"]))["__typename"] == "SessionEndedError"


async def test_staff_sign_in_with_the_role_and_the_metros_of_the_issuer(
    desk: Desk, provider: Provider, session_factory: database.SessionFactory
) -> None:
    async with session_factory.begin() as session:
        await factories.add_metro(session, slug="berlin")
    answer = await desk.sign_in(await provider.sign_in("dora", client_id=OPS_CLIENT), audience=Audience.OPS)
    assert answer["__typename"] == "OpsSignInWithIdentityTokenSuccess"
    assert await desk.run("{ ops { viewer { name role } } }", by=answer["accessToken"]) == {
        "name": "Dora",
        "role": "DISPATCHER",
    }
    refused = await desk.sign_in(await provider.sign_in("rex", client_id=OPS_CLIENT), audience=Audience.OPS)
    assert (refused["__typename"], refused["path"]) == ("RoleNotGrantedError", ["idToken"])


async def test_a_token_of_the_other_audience_is_refused(desk: Desk, provider: Provider) -> None:
    refused = await desk.sign_in(await provider.sign_in("dora"), audience=Audience.OPS)
    assert (refused["__typename"], refused["path"]) == ("IdentityTokenRefusedError", ["idToken"])
    assert "for another client" in refused["message"]


async def test_a_provider_that_comes_back_with_another_key_is_believed_again(
    desk: Desk, provider: Provider, clock: FixedClock
) -> None:
    before = await provider.sign_in("ada")
    assert (await desk.sign_in(before))["__typename"] == "SignInWithIdentityTokenSuccess"
    provider.stop()
    assert (await desk.sign_in(before))["__typename"] == "SignInWithIdentityTokenSuccess"
    provider.start()
    clock.advance(seconds=11)
    assert (await desk.sign_in(await provider.sign_in("ada")))["__typename"] == "SignInWithIdentityTokenSuccess"
    assert "publishes" in (await desk.sign_in(before))["message"]


async def test_while_the_provider_is_away_nothing_is_decided(desk: Desk, provider: Provider) -> None:
    id_token = await provider.sign_in("ada")
    provider.stop()
    try:
        assert await desk.sign_in(id_token) == "UNAVAILABLE"
    finally:
        provider.start()


async def test_a_token_of_the_provider_runs_out(desk: Desk, provider: Provider, clock: FixedClock) -> None:
    id_token = await provider.sign_in("ada")
    clock.advance(seconds=-50)
    assert (await desk.sign_in(id_token))["__typename"] == "SignInWithIdentityTokenSuccess"
    clock.advance(seconds=-20)
    assert "of the future" in (await desk.sign_in(id_token))["message"]
    clock.advance(seconds=70 + 600 + 50)
    assert (await desk.sign_in(id_token))["__typename"] == "SignInWithIdentityTokenSuccess"
    clock.advance(seconds=20)
    assert "issued more than" in (await desk.sign_in(id_token))["message"]
    clock.advance(minutes=30)
    assert "has expired" in (await desk.sign_in(id_token))["message"]


async def test_a_token_of_the_provider_is_good_only_with_its_own_signature(desk: Desk, provider: Provider) -> None:
    id_token = await provider.sign_in("ada")
    claims = jwt.decode(id_token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(id_token).get("kid")
    async with httpx.AsyncClient(trust_env=False) as client:
        published = (await client.get(f"{provider.url}/jwks")).json()["keys"][0]
    forged = [
        f"{part({'alg': 'none', 'kid': kid or 'any'})}.{part({**claims, 'sub': 'dora'})}.",
        signed_with_secret(json.dumps(published).encode(), claims, 256, kid),
        ".".join([*id_token.split(".")[:2], ""]),
    ]
    for one in forged:
        assert (await desk.sign_in(one))["__typename"] == "IdentityTokenRefusedError"


async def test_an_unverified_address_opens_nobodys_account_until_its_owner_links_it(
    desk: Desk, provider: Provider, session_factory: database.SessionFactory
) -> None:
    password_hash = await desk.runtime.hasher.hash("correct horse")
    async with session_factory.begin() as session:
        await factories.add_customer(session, email="ada@example.org", password_hash=password_hash)
    id_token = await provider.sign_in("eve")
    assert (await desk.sign_in(id_token))["__typename"] == "EmailNotVerifiedError"
    owner = (await desk.sign_in(await provider.sign_in("ada")))["accessToken"]
    wrong = await desk.run(LINK, by=owner, input={"idToken": id_token, "currentPassword": "wrong"})
    assert wrong == {"__typename": "InvalidCredentialsError", "path": ["currentPassword"]}
    linked = await desk.run(LINK, by=owner, input={"idToken": id_token, "currentPassword": "correct horse"})
    assert linked["__typename"] == "LinkIdentitySuccess"
    assert (await desk.sign_in(id_token))["__typename"] == "SignInWithIdentityTokenSuccess"


async def test_linking_asks_for_the_second_factor_that_an_outside_sign_in_does_not(
    desk: Desk, provider: Provider, session_factory: database.SessionFactory, clock: FixedClock
) -> None:
    password_hash = await desk.runtime.hasher.hash("correct horse")
    async with session_factory.begin() as session:
        who = await factories.add_customer(session, email="ada@example.org", password_hash=password_hash)
    owner = (await desk.sign_in(await provider.sign_in("ada")))["accessToken"]
    context = Ctx(desk.runtime, desk.actor_of(owner), desk.address, "request")
    app = pyotp.TOTP((await enroll_second_factor(context, current_password="correct horse")).secret)
    await confirm_second_factor(context, code=app.at(clock.now()))
    given = {"idToken": await provider.sign_in("eve"), "currentPassword": "correct horse"}
    assert (await desk.run(LINK, by=owner, input=given))["__typename"] == "SecondFactorRequiredError"
    clock.advance(seconds=30)
    linked = await desk.run(LINK, by=owner, input={**given, "secondFactorCode": app.at(clock.now())})
    assert linked["__typename"] == "LinkIdentitySuccess"
    later = (await desk.sign_in(given["idToken"]))["accessToken"]
    assert desk.actor_of(later).account_id == who.id


async def test_a_rider_unlinks_an_identity(desk: Desk, provider: Provider) -> None:
    token = (await desk.sign_in(await provider.sign_in("ada")))["accessToken"]
    (linked,) = await desk.run("{ customer { identities { id issuer } } }", by=token)
    assert linked["issuer"] == provider.url
    assert (await desk.run(UNLINK, by=token, id=linked["id"]))["__typename"] == "UnlinkIdentitySuccess"
    assert (await desk.run(UNLINK, by=token, id=linked["id"]))["__typename"] == "NotFoundError"


async def test_what_is_too_long_or_empty_is_said_at_once(desk: Desk) -> None:
    answer = await desk.sign_in("x" * 16_385, "")
    assert (answer["__typename"], answer["path"]) == ("InvalidInputError", ["idToken"])


async def test_without_an_issuer_that_is_said_and_tries_are_counted(
    session_factory: database.SessionFactory, clock: FixedClock
) -> None:
    desk = desk_of(session_factory, clock, sign_in_tries_per_minute=2)
    for audience in Audience:
        assert (await desk.sign_in("x", audience=audience))["__typename"] == "IssuerNotConfiguredError"
    assert await desk.sign_in("x") == "RATE_LIMITED"
    desk.address = "192.0.2.2"
    assert (await desk.sign_in("x"))["__typename"] == "IssuerNotConfiguredError"
