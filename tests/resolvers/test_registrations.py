"""Who registers becomes a rider by the link in the mail, once; and nobody learns who has an account."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.database import SessionFactory
from app.gateways.throttles import MinuteThrottle
from domain import accounts as domain_accounts
from domain import consents, errors, registrations, tables
from domain.actor import Audience
from domain.seals import Purpose
from domain.values import NotificationKind
from resolvers import accounts
from resolvers.accounts import SignedIn
from resolvers.context import Ctx, Runtime
from resolvers.registrations import register, verify_email
from tests import factories
from tests.conftest import FixedClock
from tests.resolvers.front import PASSWORD, CountedHasher, asking, runtime_of, statements, told

ADA = "ada@example.org"
GIVEN: dict[str, Any] = {
    "email": ADA,
    "password": PASSWORD,
    "name": "Ada",
    "language": "de",
    "has_accepted_terms": True,
    "document_version": "2026-11",
}
PATHS = {"has_accepted_terms": "hasAcceptedTerms", "document_version": "documentVersion"}


@pytest.fixture
def runtime(session_factory: SessionFactory, clock: FixedClock) -> Runtime:
    return runtime_of(session_factory, clock)


async def links(runtime: Runtime) -> list[str]:
    """Of the mails so far, oldest first."""
    mails = await told(runtime, NotificationKind.EMAIL_VERIFICATION)
    return [runtime.seals.seal(Purpose.EMAIL_VERIFICATION, UUID(mail.facts["registrationId"])) for mail in mails]


async def count(runtime: Runtime, table: type[tables.Base]) -> int:
    async with runtime.reading() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_a_rider_is_made_by_the_link_and_signed_in(runtime: Runtime, clock: FixedClock) -> None:
    expires_at = await register(asking(runtime), **{**GIVEN, "email": " Ada@Example.org "})
    assert expires_at == clock.now() + timedelta(hours=24)
    (mail,) = await told(runtime, NotificationKind.EMAIL_VERIFICATION)
    assert (mail.customer_id, mail.email, mail.language, mail.facts["name"]) == (None, ADA, "de", "Ada")
    assert await count(runtime, tables.Customer) == 0
    with pytest.raises(errors.InvalidCredentials):
        await accounts.sign_in(asking(runtime), Audience.CUSTOMER, email=ADA, password=PASSWORD)
    (link,) = await links(runtime)
    signed_in = await verify_email(asking(runtime), token=link, password=PASSWORD)
    customer = await accounts.get_customer(asking(runtime, signed_in.actor))
    assert (customer.email, customer.name, customer.language) == (ADA, "Ada", "de")
    assert await accounts.find_session(asking(runtime, signed_in.actor), signed_in.actor.session_id) is not None
    assert await count(runtime, tables.Registration) == 0


async def test_what_was_agreed_to_at_registering_is_a_consent_of_the_account(runtime: Runtime, clock: FixedClock) -> None:
    at = clock.now()
    await register(asking(runtime), **GIVEN)
    clock.advance(hours=1)
    (link,) = await links(runtime)
    who = (await verify_email(asking(runtime), token=link, password=PASSWORD)).actor
    async with runtime.reading() as session:
        given = await consents.list_consents(session, who.account_id)
    assert {one.purpose for one in given} == consents.REQUIRED
    assert {(one.document_version, one.is_granted, one.source, one.recorded_at) for one in given} == {
        ("2026-11", True, consents.REGISTRATION, at)
    }


async def test_a_link_works_once_and_who_missed_the_answer_signs_in(runtime: Runtime) -> None:
    await register(asking(runtime), **GIVEN)
    (link,) = await links(runtime)
    await verify_email(asking(runtime), token=link, password=PASSWORD)
    with pytest.raises(errors.LinkExpired, match="sign in"):
        await verify_email(asking(runtime), token=link, password=PASSWORD)
    await accounts.sign_in(asking(runtime), Audience.CUSTOMER, email=ADA, password=PASSWORD)


async def test_an_address_with_an_account_gets_the_same_answer_after_the_same_work(runtime: Runtime, clock: FixedClock) -> None:
    async with runtime.transaction() as session:
        owner = (await factories.add_customer(session, email=ADA)).id
    hasher = runtime.hasher
    assert isinstance(hasher, CountedHasher)
    with statements(runtime) as of_taken:
        taken = await register(asking(runtime), **GIVEN)
    assert hasher.hashes == 1
    with statements(runtime) as of_free:
        free = await register(asking(runtime), **{**GIVEN, "email": "free@example.org"})
    assert (hasher.hashes, taken, len(of_taken)) == (2, free, len(of_free))
    (mail,) = await told(runtime, NotificationKind.ACCOUNT_EXISTS)
    assert mail.customer_id == owner
    assert [mail.email for mail in await told(runtime, NotificationKind.EMAIL_VERIFICATION)] == ["free@example.org"]


async def test_the_latest_registration_of_an_address_wins_and_older_links_are_dead(runtime: Runtime) -> None:
    for name in ("First", "Second"):
        await register(asking(runtime), **{**GIVEN, "name": name})
    first, second = await links(runtime)
    with pytest.raises(errors.LinkExpired):
        await verify_email(asking(runtime), token=first, password=PASSWORD)
    signed_in = await verify_email(asking(runtime), token=second, password=PASSWORD)
    assert (await accounts.get_customer(asking(runtime, signed_in.actor))).name == "Second"


async def test_who_opens_a_strangers_registration_from_the_own_mailbox_makes_no_account_for_them(runtime: Runtime) -> None:
    await register(asking(runtime), **{**GIVEN, "password": "the stranger's own"})
    (link,) = await links(runtime)
    with pytest.raises(errors.InvalidCredentials) as refused:
        await verify_email(asking(runtime), token=link, password=PASSWORD)
    assert refused.value.path == ["password"]
    assert await count(runtime, tables.Customer) == 0


async def test_registrations_and_verifications_that_cross_make_one_account(runtime: Runtime) -> None:
    await asyncio.gather(*(register(asking(runtime), **GIVEN) for _ in range(4)))
    tokens = await links(runtime)
    assert len(tokens) == 4
    acts = [verify_email(asking(runtime), token=token, password=PASSWORD) for token in tokens * 2]
    acts.append(_registered_again(runtime))
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    tokens = await links(runtime)
    outcomes += await asyncio.gather(
        *(verify_email(asking(runtime), token=token, password=PASSWORD) for token in tokens), return_exceptions=True
    )
    made = [one for one in outcomes if isinstance(one, SignedIn)]
    refused = [one for one in outcomes if isinstance(one, errors.LinkExpired)]
    assert (len(made), len(made) + len(refused)) == (1, len(outcomes))
    assert await count(runtime, tables.Customer) == 1


async def _registered_again(runtime: Runtime) -> SignedIn:
    await register(asking(runtime), **GIVEN)
    raise errors.LinkExpired


async def test_a_link_is_good_for_a_day_to_the_second(runtime: Runtime, clock: FixedClock) -> None:
    for email in (ADA, "bob@example.org"):
        await register(asking(runtime), **{**GIVEN, "email": email})
    in_time, late = await links(runtime)
    clock.advance(hours=24, seconds=-1)
    await verify_email(asking(runtime), token=in_time, password=PASSWORD)
    clock.advance(seconds=1)
    with pytest.raises(errors.LinkExpired):
        await verify_email(asking(runtime), token=late, password=PASSWORD)


async def test_an_address_that_became_an_accounts_in_between_is_not_taken_over(runtime: Runtime) -> None:
    await register(asking(runtime), **GIVEN)
    async with runtime.transaction() as session:
        await factories.add_customer(session, email=ADA, name="Owner")
    (link,) = await links(runtime)
    with pytest.raises(errors.LinkExpired):
        await verify_email(asking(runtime), token=link, password=PASSWORD)
    assert await count(runtime, tables.Customer) == 1


async def test_what_was_sealed_for_something_else_verifies_nothing(runtime: Runtime) -> None:
    await register(asking(runtime), **GIVEN)
    (mail,) = await told(runtime, NotificationKind.EMAIL_VERIFICATION)
    other = runtime.seals.seal(Purpose.PASSWORD_RESET, UUID(mail.facts["registrationId"]))
    for token in (other, mail.facts["registrationId"], ""):
        with pytest.raises(errors.LinkExpired):
            await verify_email(asking(runtime), token=token, password=PASSWORD)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("email", "ada"),
        ("email", "ada@localhost"),
        ("email", "ada@exämple.org"),
        ("email", "a@b@example.org"),
        ("email", "ada@example.org\nBcc: all@example.org"),
        ("email", f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 20}.org"),
        ("password", "7 chars"),
        ("password", "x" * 1025),
        ("password", "nul \0 inside"),
        ("name", " "),
        ("name", "x" * 101),
        ("name", "two\nlines"),
        ("name", "\ud800 half"),
        ("language", "nl"),
        ("has_accepted_terms", False),
        ("document_version", ""),
        ("document_version", "x" * 41),
    ],
)
async def test_input_that_breaks_a_rule_is_refused_by_name(clock: FixedClock, field: str, bad: object) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        await register(Ctx(Unreachable(), None, "192.0.2.1", "test"), **{**GIVEN, field: bad})  # type: ignore[arg-type]
    assert [issue.path for issue in refused.value.issues] == [PATHS.get(field, field)]


class Unreachable:
    """Bad input reaches neither the database nor the throttle."""


async def test_tries_are_counted_per_address_and_per_account_whether_it_exists_or_not(runtime: Runtime) -> None:
    async with runtime.transaction() as session:
        await factories.add_customer(session, email=ADA)
    for email in (ADA, "free@example.org"):
        throttled = replace(runtime, throttle=MinuteThrottle(2))
        for number in range(2):
            await register(asking(throttled, address=f"192.0.2.{number}"), **{**GIVEN, "email": email})
        with pytest.raises(errors.TooManyTries):
            await register(asking(throttled, address="192.0.2.9"), **{**GIVEN, "email": email.upper()})
        await register(asking(throttled, address="192.0.2.1"), **{**GIVEN, "email": "other@example.org"})
        with pytest.raises(errors.TooManyTries):
            await register(asking(throttled, address="192.0.2.1"), **{**GIVEN, "email": "third@example.org"})
        for _ in range(2):
            with pytest.raises(errors.LinkExpired):
                await verify_email(asking(throttled), token="guess", password=PASSWORD)
        with pytest.raises(errors.TooManyTries):
            await verify_email(asking(throttled), token="guess", password=PASSWORD)


async def test_registrations_that_have_expired_are_forgotten(runtime: Runtime, clock: FixedClock) -> None:
    for number in range(3):
        async with runtime.transaction() as session:
            new = registrations.NewRider(f"{number}@example.org", "hash", "Ada", "en", "1")
            await registrations.register(session, new, now=clock.now())
        clock.advance(hours=12)
    async with runtime.transaction() as session:
        assert await registrations.forget_registrations(session, now=clock.now(), limit=1) == 1
        assert await registrations.forget_registrations(session, now=clock.now()) == 1
        assert await registrations.forget_registrations(session, now=clock.now()) == 0
    assert await count(runtime, tables.Registration) == 1


async def test_the_password_of_a_registration_is_kept_as_a_hash(runtime: Runtime) -> None:
    await register(asking(runtime), **GIVEN)
    async with runtime.reading() as session:
        row = (await session.execute(select(tables.Registration))).scalar_one()
        assert await domain_accounts.find_credentials(session, Audience.CUSTOMER, ADA) is None
    assert row.password_hash.startswith("$argon2")
