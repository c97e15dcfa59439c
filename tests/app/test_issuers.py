"""ID tokens: the good one is read, and each way of being bad is refused with its reason, whoever signed it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwk

from app.gateways.issuers import Issuers, TrustedIssuer
from domain import errors
from domain.actor import Audience
from domain.ports import Identity
from tests.conftest import FixedClock
from tests.issuing import CLIENT, KeyIssuer, part, signed_with_secret

SKEW, MAX_AGE = 60, 600


@pytest.fixture
def issuers(issuer: KeyIssuer, clock: FixedClock) -> Issuers:
    trusted = {Audience.CUSTOMER: TrustedIssuer(issuer.url, CLIENT, role_claim="groups", metros_claim="cities")}
    return Issuers(trusted, clock, skew_seconds=SKEW, max_age_seconds=MAX_AGE)


async def identify(issuers: Issuers, token: str, nonce: str | None = None) -> Identity:
    return await issuers.identify(Audience.CUSTOMER, token, nonce=nonce)


async def subject(issuers: Issuers, token: str, nonce: str | None = None) -> str:
    return (await identify(issuers, token, nonce)).subject


async def refusal(issuers: Issuers, token: str, nonce: str | None = None) -> str:
    with pytest.raises(errors.IdentityTokenRefused) as refused:
        await identify(issuers, token, nonce)
    assert refused.value.path == ["idToken"]
    return refused.value.message


async def test_a_good_token_says_who_it_is(issuers: Issuers, issuer: KeyIssuer) -> None:
    token = issuer.token(locale="de-AT", groups=["offline", "admin"], cities=["berlin"])
    assert await identify(issuers, token) == Identity(
        issuer.url, "ada", "ada@example.org", True, "Ada", "de-AT", ("offline", "admin"), ("berlin",)
    )


async def test_claims_that_are_missing_or_of_another_type_are_nothing(issuers: Issuers, issuer: KeyIssuer) -> None:
    found = await identify(issuers, issuer.token(email=7, email_verified=1, name=" ", locale=["de"], groups={"a": 1}, cities=4))
    assert found == Identity(issuer.url, "ada", metros=())
    as_text = await identify(issuers, issuer.token(email_verified="true", groups="admin", name="A\0da", given_name="Ada"))
    assert (as_text.is_email_verified, as_text.roles, as_text.name, as_text.metros) == (True, ("admin",), "Ada", None)


@pytest.mark.parametrize(
    ("kind", "size", "algorithm"),
    [
        (jwk.RSAKey, 2048, "RS256"),
        (jwk.RSAKey, 2048, "PS256"),
        (jwk.ECKey, "P-384", "ES384"),
        (jwk.OKPKey, "Ed25519", "EdDSA"),
    ],
)
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
async def test_keys_of_every_usual_kind_are_known(
    issuers: Issuers, issuer: KeyIssuer, kind: Any, size: Any, algorithm: str
) -> None:
    issuer.keys.append(kind.generate_key(size, {"kid": "k", "use": "sig", "alg": algorithm}))
    assert await subject(issuers, issuer.token(algorithm=algorithm)) == "ada"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"iss": "https://issuer.example"}, "whose sign-ins are taken here"),
        ({"iss": None}, "whose sign-ins are taken here"),
        ({"aud": "another"}, "for another client"),
        ({"aud": [["another"]]}, "for another client"),
        ({"aud": None}, "for another client"),
        ({"aud": [CLIENT, "another"]}, "for several clients"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "for several clients"),
        ({"exp": None}, "no `exp`"),
        ({"exp": True}, "no `exp`"),
        ({"exp": "soon"}, "no `exp`"),
        ({"exp": 1e300}, "no `exp`"),
        ({"iat": None}, "no `iat`"),
        ({"nbf": "soon"}, "no `nbf`"),
        ({"sub": None}, "no `sub`"),
        ({"sub": ""}, "no `sub`"),
        ({"sub": "a\0"}, "no `sub`"),
        ({"sub": "a" * 256}, "no `sub`"),
        ({"nonce": "unasked"}, "nonce"),
    ],
)
async def test_a_token_that_claims_something_else_is_refused(
    issuers: Issuers, issuer: KeyIssuer, change: dict[str, Any], reason: str
) -> None:
    assert reason in await refusal(issuers, issuer.token(**change))


async def test_a_token_for_several_clients_is_good_for_the_one_that_asked_for_it(issuers: Issuers, issuer: KeyIssuer) -> None:
    assert await subject(issuers, issuer.token(aud=[CLIENT, "another"], azp=CLIENT))


async def test_the_nonce_must_be_that_of_the_request(issuers: Issuers, issuer: KeyIssuer) -> None:
    assert await subject(issuers, issuer.token(nonce="n-1"), "n-1")
    assert "nonce" in await refusal(issuers, issuer.token(nonce="n-1"), "n-2")
    assert "nonce" in await refusal(issuers, issuer.token(), "n-1")


@pytest.mark.parametrize(
    ("claims", "good", "bad", "reason"),
    [
        ({"exp": 0}, SKEW - 1, SKEW, "has expired"),
        ({"iat": 0, "exp": 9999}, MAX_AGE + SKEW, MAX_AGE + SKEW + 1, "issued more than"),
        ({"iat": 0, "exp": 9999}, -SKEW, -SKEW - 1, "of the future"),
        ({"iat": -600, "nbf": 0, "exp": 9999}, -SKEW, -SKEW - 1, "of the future"),
    ],
)
async def test_clocks_may_be_apart_by_the_skew_and_not_by_a_second_more(
    issuers: Issuers, issuer: KeyIssuer, clock: FixedClock, claims: dict[str, int], good: int, bad: int, reason: str
) -> None:
    now = int(clock.now().timestamp())
    instants: dict[str, Any] = {name: now + value for name, value in claims.items()}
    token = issuer.token(**instants)
    clock.advance(seconds=good)
    assert await subject(issuers, token)
    clock.advance(seconds=bad - good)
    assert reason in await refusal(issuers, token)


async def test_without_a_signature_nothing_is_believed(issuers: Issuers, issuer: KeyIssuer) -> None:
    for none in ("none", "None", "NONE", "", None, 7, ["none"]):
        for signature in ("", issuer.token().rpartition(".")[2]):
            token = f"{part({'alg': none, 'kid': 'first'})}.{part(issuer.claims())}.{signature}"
            assert await refusal(issuers, token)
    assert issuer.asked == []


async def test_a_public_key_is_no_shared_secret(issuers: Issuers, issuer: KeyIssuer) -> None:
    """HS256 with what everybody may read: the key as PEM, as DER and as JWK."""
    public = issuer.keys[0]
    spellings = (public.as_pem(private=False), public.as_der(private=False), json.dumps(public.as_dict(private=False)).encode())
    for secret in spellings:
        for bits in (256, 384, 512):
            assert "taken here: RS256" in await refusal(issuers, signed_with_secret(secret, issuer.claims(), bits))
    ours = jwk.OctKey.generate_key(256, {"kid": "shared"})
    issuer.answers["/keys"] = (200, {}, json.dumps({"keys": [public.as_dict(private=False), ours.as_dict()]}).encode())
    assert await subject(issuers, issuer.token())
    assert "taken here: RS256" in await refusal(issuers, signed_with_secret(ours.raw_value, issuer.claims(), 256, "shared"))


async def test_only_the_issuers_own_keys_sign_for_it(issuers: Issuers, issuer: KeyIssuer) -> None:
    another = jwk.ECKey.generate_key("P-256", {"kid": "first"})
    assert "publishes" in await refusal(issuers, issuer.token(by=another))
    head, _, signature = issuer.token().split(".")
    assert "publishes" in await refusal(issuers, f"{head}.{part(issuer.claims(sub='eve'))}.{signature}")


async def test_a_token_brings_no_key_of_its_own(issuers: Issuers, issuer: KeyIssuer) -> None:
    mine = jwk.RSAKey.generate_key(2048, {"kid": "mine"})
    header = {"alg": "RS256", "kid": "mine", "jwk": mine.as_dict(private=False), "jku": "http://127.0.0.1:1/keys"}
    token = issuer.token(by=mine, algorithm="RS256")
    assert "publishes" in await refusal(issuers, ".".join([part(header), *token.split(".")[1:]]))
    assert "publishes" in await refusal(issuers, token)


@pytest.mark.parametrize(
    ("bits", "published", "is_good"),
    [(2048, {}, True), (1024, {}, False), (2048, {"use": "enc"}, False), (2048, {"alg": "PS256"}, False)],
)
@pytest.mark.filterwarnings("ignore:Key size")
async def test_a_key_that_is_short_or_for_something_else_signs_nothing(
    issuers: Issuers, issuer: KeyIssuer, bits: int, published: dict[str, str], is_good: bool
) -> None:
    key = jwk.RSAKey.generate_key(bits, {"kid": "k"})
    issuer.answers["/keys"] = (200, {}, json.dumps({"keys": [{**key.as_dict(private=False), **published}]}).encode())
    token = issuer.token(by=key, algorithm="RS256")
    if is_good:
        assert await subject(issuers, token)
    else:
        assert "publishes" in await refusal(issuers, token)


async def test_where_no_issuer_is_set_up_that_is_said(issuers: Issuers, issuer: KeyIssuer) -> None:
    with pytest.raises(errors.IssuerNotConfigured):
        await issuers.identify(Audience.OPS, issuer.token(), nonce=None)


LETTERS = st.text('aZ09._-={}"é\0\ud800', max_size=20)
VALUES = st.one_of(st.none(), st.integers(), LETTERS, st.lists(LETTERS, max_size=2))
OBJECTS = st.one_of(VALUES, st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "iss", "aud", "exp"]), VALUES))


@given(
    text=st.one_of(
        LETTERS, st.builds(lambda head, claims, tail: f"{part(head)}.{part(claims)}.{tail}", OBJECTS, OBJECTS, LETTERS)
    )
)
@settings(max_examples=50, deadline=None)
async def test_any_text_is_refused_and_nothing_breaks(text: str) -> None:
    trusted = {Audience.CUSTOMER: TrustedIssuer("http://127.0.0.1:1", CLIENT)}
    await refusal(Issuers(trusted, FixedClock(), skew_seconds=SKEW, max_age_seconds=MAX_AGE), text)
