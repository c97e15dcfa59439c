"""Identities: whose account an outside issuer's word opens, makes and changes, and whose it never does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import exc, func, select

from app.database import SessionFactory
from domain import accounts, erasure, errors, identities, ids, sessions, tables
from domain.accounts import OpenedSession
from domain.actor import Actor, Audience, Role
from domain.ports import Identity
from tests import factories
from tests.conftest import FixedClock

ADA = Identity("https://issuer.example", "ada-1", "Ada@Example.org", True, "Ada", "de-AT")
BOSS = Identity("https://issuer.example", "boss-1", "boss@example.org", True, "Boss", roles=("staff", "dispatcher"))


async def sign_in(
    session_factory: SessionFactory, clock: FixedClock, identity: Identity, audience: Audience = Audience.CUSTOMER
) -> OpenedSession:
    async with session_factory.begin() as session:
        return await identities.sign_in_with_identity_token(session, audience, identity, days=30, now=clock.now())


async def link(session_factory: SessionFactory, clock: FixedClock, who: Actor, identity: Identity) -> None:
    async with session_factory.begin() as session:
        await identities.link_identity(session, who, identity, password_hash="hash", now=clock.now())


async def customer_of(session_factory: SessionFactory, customer_id: UUID) -> accounts.Customer:
    async with session_factory() as session:
        return await accounts.get_customer(session, customer_id)


async def count(session_factory: SessionFactory, *of: type[tables.Base]) -> list[int]:
    async with session_factory() as session:
        return [(await session.execute(select(func.count()).select_from(one))).scalar_one() for one in of]


async def test_a_rider_who_is_new_gets_an_account(session_factory: SessionFactory, clock: FixedClock) -> None:
    opened = await sign_in(session_factory, clock, ADA)
    found = await customer_of(session_factory, opened.actor.account_id)
    assert (found.email, found.name, found.language) == ("ada@example.org", "Ada", "de")
    again = await sign_in(session_factory, clock, replace(ADA, email=None, is_email_verified=False, name="Another"))
    assert again.actor.account_id == opened.actor.account_id
    async with session_factory() as session:
        assert len(await sessions.list_sessions(session, opened.actor, now=clock.now())) == 2
    assert await count(session_factory, tables.Customer, tables.Identity) == [1, 1]


@pytest.mark.parametrize(
    ("locale", "language"), [("fr", "fr"), ("it_IT", "it"), ("ES", "es"), ("nl-NL", "en"), ("dexter", "en"), (None, "en")]
)
async def test_the_language_is_one_that_we_have(
    session_factory: SessionFactory, clock: FixedClock, locale: str | None, language: str
) -> None:
    opened = await sign_in(session_factory, clock, replace(ADA, language=locale, name=None))
    found = await customer_of(session_factory, opened.actor.account_id)
    assert (found.language, found.name) == (language, "ada")


async def test_a_verified_address_opens_the_account_that_has_it(session_factory: SessionFactory, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        known = await factories.add_customer(session, email="ada@example.org", password_hash="hash", name="Countess")
    opened = await sign_in(session_factory, clock, ADA)
    assert opened.actor.account_id == known.id
    assert (await customer_of(session_factory, known.id)).name == "Countess"


async def test_an_address_alone_does_not_get_past_a_second_factor(session_factory: SessionFactory, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        who = await factories.add_rider(session, email="ada@example.org", password_hash="hash")
        row = tables.SecondFactor(audience=who.audience, account_id=who.account_id, secret=b"", created_at=clock.now())
        session.add(row)
    # Only what is confirmed counts.
    assert (await sign_in(session_factory, clock, replace(ADA, subject="ada-0"))).actor.account_id == who.account_id
    async with session_factory.begin() as session:
        (await session.merge(row)).confirmed_at = clock.now()
    with pytest.raises(errors.SecondFactorRequired, match="link the identity"):
        await sign_in(session_factory, clock, ADA)
    assert await count(session_factory, tables.Identity) == [1], "nothing is left of the refused one"
    await link(session_factory, clock, who, ADA)
    assert (await sign_in(session_factory, clock, ADA)).actor.account_id == who.account_id


@pytest.mark.parametrize(
    "address",
    [
        {"is_email_verified": False},
        {"email": None},
        {"email": "nobody"},
        {"email": "ada@example.org\nada"},
        {"email": "ada@example.org@example.org"},
        {"email": "\N{KELVIN SIGN}im@example.org"},
    ],
)
async def test_without_a_verified_address_nothing_is_opened_or_made_and_nobody_learns_of_accounts(
    session_factory: SessionFactory, clock: FixedClock, address: dict[str, object]
) -> None:
    """The same answer for an address with an account and for one without."""
    said = []
    for _ in range(2):
        with pytest.raises(errors.EmailNotVerified, match="sign in with your password") as refused:
            await sign_in(session_factory, clock, replace(ADA, **address))  # type: ignore[arg-type]
        said.append((refused.value.message, refused.value.path))
        async with session_factory.begin() as session:
            if len(said) == 1:
                await factories.add_customer(session, email=accounts.normalize_email(str(address.get("email", ADA.email))))
    assert said[0] == said[1]
    assert await count(session_factory, tables.Customer, tables.Identity, tables.SignInSession) == [1, 0, 0]


async def test_an_identity_is_of_its_issuer_and_its_audience(session_factory: SessionFactory, clock: FixedClock) -> None:
    rider = await sign_in(session_factory, clock, ADA)
    other = await sign_in(session_factory, clock, replace(ADA, issuer="https://another.example", email="eve@example.org"))
    staff = await sign_in(session_factory, clock, replace(ADA, roles=("admin",)), Audience.OPS)
    assert len({rider.actor.account_id, other.actor.account_id, staff.actor.account_id}) == 3


@pytest.mark.parametrize("audience", Audience)
async def test_first_sign_ins_at_once_make_one_account(
    session_factory: SessionFactory, clock: FixedClock, audience: Audience
) -> None:
    who = replace(ADA, roles=("technician",))
    opened = await asyncio.gather(*(sign_in(session_factory, clock, who, audience) for _ in range(6)))
    assert len({one.actor.account_id for one in opened}) == 1
    table = tables.Customer if audience is Audience.CUSTOMER else tables.Staff
    assert await count(session_factory, table, tables.Identity, tables.SignInSession) == [1, 1, 6]


async def test_two_identities_of_one_address_at_once_share_the_account(
    session_factory: SessionFactory, clock: FixedClock
) -> None:
    both = (ADA, replace(ADA, subject="ada-2"))
    opened = await asyncio.gather(*(sign_in(session_factory, clock, one) for one in both))
    assert len({one.actor.account_id for one in opened}) == 1
    assert await count(session_factory, tables.Customer, tables.Identity) == [1, 2]


async def test_the_database_keeps_an_identity_to_one_account(session_factory: SessionFactory, clock: FixedClock) -> None:
    opened = await sign_in(session_factory, clock, ADA)
    row = {"issuer": ADA.issuer, "subject": ADA.subject, "created_at": clock.now(), "customer_id": opened.actor.account_id}
    for audience in (Audience.CUSTOMER, Audience.OPS):
        with pytest.raises(exc.IntegrityError, match=r"uq_identities|account_of_audience"):
            async with session_factory.begin() as session:
                session.add(tables.Identity(id=ids.new(), audience=audience, **row))


async def test_a_rider_links_an_identity_whatever_its_address(session_factory: SessionFactory, clock: FixedClock) -> None:
    unverified = replace(ADA, is_email_verified=False)
    async with session_factory.begin() as session:
        who = await factories.add_rider(session, password_hash="hash")
        another = await factories.add_rider(session, password_hash="hash")
    for _ in range(2):
        await link(session_factory, clock, who, unverified)
    assert (await sign_in(session_factory, clock, unverified)).actor.account_id == who.account_id
    with pytest.raises(errors.IdentityTaken):
        await link(session_factory, clock, another, unverified)


async def test_a_password_that_was_changed_meanwhile_links_nothing(session_factory: SessionFactory, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        who = await factories.add_rider(session, password_hash="new")
    with pytest.raises(errors.InvalidCredentials):
        await link(session_factory, clock, who, ADA)
    assert await count(session_factory, tables.Identity) == [0]


async def test_who_was_erased_comes_back_as_somebody_new(session_factory: SessionFactory, clock: FixedClock) -> None:
    before = (await sign_in(session_factory, clock, ADA)).actor
    async with session_factory.begin() as session:
        checked = await erasure.get_account(session, before, now=clock.now())
        await erasure.erase_account(session, before, checked=checked, now=clock.now())
    assert await count(session_factory, tables.Identity) == [0]
    after = (await sign_in(session_factory, clock, ADA)).actor
    assert after.account_id != before.account_id


async def test_a_sign_in_and_an_erasure_at_once_leave_no_session_of_nobody(
    session_factory: SessionFactory, clock: FixedClock
) -> None:
    before = (await sign_in(session_factory, clock, ADA)).actor

    async def erase() -> None:
        async with session_factory.begin() as session:
            checked = await erasure.get_account(session, before, now=clock.now())
            await erasure.erase_account(session, before, checked=checked, now=clock.now())

    await asyncio.gather(sign_in(session_factory, clock, ADA), erase())
    async with session_factory() as session:
        erased = await session.get_one(tables.Customer, before.account_id)
        left = await sessions.list_sessions(session, before, now=clock.now())
    assert (erased.erased_at, left) == (clock.now(), [])


async def test_staff_get_role_and_metros_from_the_issuer_each_time(session_factory: SessionFactory, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        berlin, roma = [await factories.add_metro(session, slug=slug) for slug in ("berlin", "roma")]
    first = await sign_in(session_factory, clock, replace(BOSS, metros=("berlin", "atlantis")), Audience.OPS)
    assert (first.actor.role, first.actor.metro_ids) == (Role.DISPATCHER, frozenset({berlin.id}))
    second = await sign_in(session_factory, clock, replace(BOSS, roles=("technician",), metros=("roma",)), Audience.OPS)
    assert (second.actor.role, second.actor.metro_ids) == (Role.TECHNICIAN, frozenset({roma.id}))
    assert second.actor.account_id == first.actor.account_id
    async with session_factory.begin() as session:
        refreshed = await accounts.refresh_session(session, Audience.OPS, first.refresh_token, days=1, now=clock.now())
    assert refreshed is not None
    assert (refreshed.actor.role, refreshed.actor.metro_ids) == (Role.TECHNICIAN, frozenset({roma.id}))


@pytest.mark.parametrize(
    ("roles", "role", "metros", "has_all"),
    [
        (("admin",), Role.ADMIN, None, True),
        (("admin",), Role.ADMIN, (), False),
        (("technician", "admin", "dispatcher"), Role.ADMIN, None, True),
        (("dispatcher",), Role.DISPATCHER, None, False),
    ],
)
async def test_only_admins_work_in_all_metros_unless_some_are_named(
    session_factory: SessionFactory,
    clock: FixedClock,
    roles: tuple[str, ...],
    role: Role,
    metros: tuple[str, ...] | None,
    has_all: bool,
) -> None:
    opened = await sign_in(session_factory, clock, replace(BOSS, roles=roles, metros=metros), Audience.OPS)
    assert (opened.actor.role, opened.actor.metro_ids) == (role, None if has_all else frozenset())


@pytest.mark.parametrize("roles", [(), ("rider",), ("Admin",), ("administrator",)])
async def test_staff_without_a_known_role_stay_outside(
    session_factory: SessionFactory, clock: FixedClock, roles: tuple[str, ...]
) -> None:
    await sign_in(session_factory, clock, BOSS, Audience.OPS)
    with pytest.raises(errors.RoleNotGranted):
        await sign_in(session_factory, clock, replace(BOSS, roles=roles), Audience.OPS)
    with pytest.raises(errors.RoleNotGranted):
        await sign_in(session_factory, clock, replace(BOSS, subject="new", roles=roles), Audience.OPS)


async def test_the_account_of_a_member_of_staff_is_found_by_a_verified_address_alone(
    session_factory: SessionFactory, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        known = await factories.add_staff(session, Role.ADMIN, email="boss@example.org", password_hash="hash")
    with pytest.raises(errors.EmailNotVerified):
        await sign_in(session_factory, clock, replace(BOSS, is_email_verified=False), Audience.OPS)
    opened = await sign_in(session_factory, clock, BOSS, Audience.OPS)
    assert (opened.actor.account_id, opened.actor.role) == (known.id, Role.DISPATCHER)


async def test_a_rider_sees_and_unlinks_own_identities_alone(session_factory: SessionFactory, clock: FixedClock) -> None:
    who = (await sign_in(session_factory, clock, ADA)).actor
    clock.advance(minutes=1)
    await sign_in(session_factory, clock, replace(ADA, issuer="https://another.example"))
    async with session_factory.begin() as session:
        another = await factories.add_rider(session)
        latest, first = await identities.list_identities(session, who)
        assert (latest.issuer, first.issuer) == ("https://another.example", ADA.issuer)
        assert await identities.list_identities(session, another) == []
        assert await identities.find_identity(session, who, first.id) == first
        assert await identities.find_identity(session, another, first.id) is None
        with pytest.raises(errors.NotFound):
            await identities.unlink_identity(session, another, identity_id=first.id)
        await identities.unlink_identity(session, who, identity_id=first.id)
        with pytest.raises(errors.NotFound):
            await identities.unlink_identity(session, who, identity_id=first.id)
        assert await identities.list_identities(session, who) == [latest]
    with pytest.raises(errors.EmailNotVerified):
        await sign_in(session_factory, clock, replace(ADA, is_email_verified=False))
