"""A second factor lets nobody in without a code, and no code in twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pyotp
import pytest
from sqlalchemy import select

from app.database import SessionFactory
from app.gateways.throttles import HourThrottle, MinuteThrottle
from domain import errors, second_factors, tables
from domain.actor import Actor, Audience
from domain.ciphers import Cipher
from domain.ports import Identity
from domain.seals import Purpose
from domain.values import NotificationKind
from resolvers import accounts
from resolvers.context import Ctx, Runtime
from resolvers.identities import link_identity
from resolvers.password_resets import request_password_reset, reset_password
from resolvers.second_factors import (
    confirm_second_factor,
    disable_second_factor,
    enroll_second_factor,
    find_protection,
    renew_recovery_codes,
)
from tests import factories
from tests.conftest import FixedClock
from tests.resolvers.front import PASSWORD, asking, runtime_of, told

ADA = "ada@example.org"
RIDERS, STAFF = Audience.CUSTOMER, Audience.OPS
NEW = "a new password"


@dataclass
class Phone:
    """Ada's, with her session and her app."""

    runtime: Runtime
    clock: FixedClock
    who: Actor
    secret: str = ""
    recovery_codes: tuple[str, ...] = ()

    @property
    def ctx(self) -> Ctx:
        return asking(self.runtime, self.who)

    def code(self, *, steps: int = 0) -> str:
        return pyotp.TOTP(self.secret).generate_otp(int(self.clock.now().timestamp()) // 30 + steps)

    def next_code(self) -> str:
        """Of a step that was not used."""
        self.clock.advance(seconds=30)
        return self.code()

    async def sign_in(self, code: str | None = None, password: str = PASSWORD) -> accounts.SignedIn:
        audience = self.who.audience
        return await accounts.sign_in(asking(self.runtime), audience, email=ADA, password=password, second_factor_code=code)

    async def enroll(self) -> None:
        self.secret = (await enroll_second_factor(self.ctx, current_password=PASSWORD)).secret

    async def confirm(self) -> None:
        self.recovery_codes = tuple(await confirm_second_factor(self.ctx, code=self.code()))


@pytest.fixture
async def runtime(session_factory: SessionFactory, clock: FixedClock) -> Runtime:
    made = runtime_of(session_factory, clock)
    hashed = await made.hasher.hash(PASSWORD)
    async with made.transaction() as session:
        await factories.add_customer(session, email=ADA, password_hash=hashed)
        await factories.add_staff(session, email=ADA, password_hash=hashed)
    return made


async def phone_of(runtime: Runtime, clock: FixedClock, audience: Audience) -> Phone:
    signed_in = await accounts.sign_in(asking(runtime), audience, email=ADA, password=PASSWORD)
    return Phone(runtime, clock, signed_in.actor)


@pytest.fixture
async def phone(runtime: Runtime, clock: FixedClock) -> Phone:
    """Not enrolled."""
    return await phone_of(runtime, clock, RIDERS)


@pytest.fixture
async def enrolled(phone: Phone) -> Phone:
    await phone.enroll()
    await phone.confirm()
    return phone


@pytest.mark.parametrize("audience", [RIDERS, STAFF])
async def test_a_factor_is_asked_for_once_it_is_confirmed_and_not_after_it_is_disabled(
    runtime: Runtime, clock: FixedClock, audience: Audience
) -> None:
    phone = await phone_of(runtime, clock, audience)
    await phone.enroll()
    await phone.sign_in()
    assert await find_protection(phone.ctx) == second_factors.Protection(has_second_factor=False, recovery_codes_left=0)
    await phone.confirm()
    assert await find_protection(phone.ctx) == second_factors.Protection(has_second_factor=True, recovery_codes_left=10)
    with pytest.raises(errors.SecondFactorRequired) as refused:
        await phone.sign_in()
    assert refused.value.path == ["secondFactorCode"]
    await phone.sign_in(phone.next_code())
    await disable_second_factor(phone.ctx, current_password=PASSWORD, code=phone.next_code())
    await phone.sign_in()
    assert await find_protection(phone.ctx) == second_factors.Protection(has_second_factor=False, recovery_codes_left=0)
    news = await told(runtime, NotificationKind.SECOND_FACTOR_CHANGED)
    assert [(one.facts["isEnabled"], one.email) for one in news] == [
        (is_enabled, None if audience is RIDERS else ADA) for is_enabled in (True, False)
    ]


async def test_the_uri_is_what_apps_read(phone: Phone) -> None:
    enrolment = await enroll_second_factor(phone.ctx, current_password=PASSWORD)
    read = pyotp.parse_uri(enrolment.uri)
    assert (read.secret, read.name, read.issuer) == (enrolment.secret, ADA, "MobilityCorp")
    assert len(enrolment.secret) == 32


async def test_a_wrong_password_is_answered_alike_with_and_without_a_factor(enrolled: Phone) -> None:
    for code in (None, enrolled.next_code(), "000000"):
        with pytest.raises(errors.InvalidCredentials):
            await enrolled.sign_in(code, password="wrong")
    await enrolled.sign_in(enrolled.code())


async def test_a_code_is_good_one_step_early_and_one_late_and_no_more(enrolled: Phone) -> None:
    enrolled.clock.advance(minutes=5)
    for steps in (-2, 2):
        with pytest.raises(errors.InvalidSecondFactor):
            await enrolled.sign_in(enrolled.code(steps=steps))
    for steps in (-1, 0, 1):
        await enrolled.sign_in(enrolled.code(steps=steps))


async def test_a_step_works_once_and_none_before_it_does(enrolled: Phone) -> None:
    with pytest.raises(errors.InvalidSecondFactor):
        await enrolled.sign_in(enrolled.code())
    enrolled.clock.advance(minutes=5)
    await enrolled.sign_in(enrolled.code())
    for steps in (0, -1):
        with pytest.raises(errors.InvalidSecondFactor) as refused:
            await enrolled.sign_in(enrolled.code(steps=steps))
        assert refused.value.path == ["secondFactorCode"]


async def test_a_code_that_is_shown_ten_times_at_once_lets_one_in(enrolled: Phone) -> None:
    code = enrolled.next_code()
    outcomes = await asyncio.gather(*(enrolled.sign_in(code) for _ in range(10)), return_exceptions=True)
    assert Counter(map(type, outcomes)) == {accounts.SignedIn: 1, errors.InvalidSecondFactor: 9}


async def test_a_recovery_code_lets_one_in_however_it_is_typed(enrolled: Phone) -> None:
    first, second = enrolled.recovery_codes[:2]
    typed = first.upper().replace("-", " ")
    outcomes = await asyncio.gather(*(enrolled.sign_in(typed) for _ in range(5)), return_exceptions=True)
    assert Counter(map(type, outcomes)) == {accounts.SignedIn: 1, errors.InvalidSecondFactor: 4}
    await enrolled.sign_in(second)
    assert (await find_protection(enrolled.ctx)).recovery_codes_left == 8


async def test_new_recovery_codes_take_the_place_of_all_before(enrolled: Phone) -> None:
    old = enrolled.recovery_codes
    with pytest.raises(errors.InvalidSecondFactor):
        await renew_recovery_codes(enrolled.ctx, code=enrolled.code())
    new = await renew_recovery_codes(enrolled.ctx, code=old[0])
    assert (len(new), len({*new, *old})) == (10, 20)
    with pytest.raises(errors.InvalidSecondFactor):
        await enrolled.sign_in(old[1])
    await enrolled.sign_in(new[0])


async def test_two_that_confirm_at_once_get_one_set_of_recovery_codes(phone: Phone) -> None:
    await phone.enroll()
    acts = [confirm_second_factor(phone.ctx, code=phone.code()) for _ in range(4)]
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    assert Counter(map(type, outcomes)) == {list: 1, errors.SecondFactorInForce: 3}
    (codes,) = (one for one in outcomes if isinstance(one, list))
    await phone.sign_in(codes[0])


async def test_the_latest_secret_is_the_one_to_confirm_within_an_hour(phone: Phone) -> None:
    await phone.enroll()
    earlier = phone.code()
    await phone.enroll()
    with pytest.raises(errors.InvalidSecondFactor):
        await confirm_second_factor(phone.ctx, code=earlier)
    phone.clock.advance(hours=1)
    with pytest.raises(errors.NotFound, match="Enroll first"):
        await phone.confirm()
    await phone.sign_in()


async def test_one_in_force_is_not_replaced_or_confirmed_again(enrolled: Phone) -> None:
    with pytest.raises(errors.SecondFactorInForce):
        await enroll_second_factor(enrolled.ctx, current_password=PASSWORD)
    with pytest.raises(errors.SecondFactorInForce):
        await confirm_second_factor(enrolled.ctx, code=enrolled.next_code())
    await enrolled.sign_in(enrolled.code())


async def test_disabling_takes_the_password_and_a_code(enrolled: Phone) -> None:
    with pytest.raises(errors.InvalidCredentials):
        await disable_second_factor(enrolled.ctx, current_password="wrong", code=enrolled.next_code())
    with pytest.raises(errors.InvalidSecondFactor):
        await disable_second_factor(enrolled.ctx, current_password=PASSWORD, code="000000")
    await disable_second_factor(enrolled.ctx, current_password=PASSWORD, code=enrolled.recovery_codes[0])


async def test_without_a_factor_there_is_nothing_to_renew_or_disable(phone: Phone) -> None:
    with pytest.raises(errors.NotFound, match="no second factor"):
        await renew_recovery_codes(phone.ctx, code="000000")
    with pytest.raises(errors.NotFound, match="no second factor"):
        await disable_second_factor(phone.ctx, current_password=PASSWORD, code="000000")


async def test_a_new_password_leaves_the_factor_as_it_is(enrolled: Phone) -> None:
    await accounts.change_password(enrolled.ctx, current_password=PASSWORD, new_password=NEW)
    with pytest.raises(errors.SecondFactorRequired):
        await enrolled.sign_in(password=NEW)
    await request_password_reset(asking(enrolled.runtime), RIDERS, email=ADA)
    (mail,) = await told(enrolled.runtime, NotificationKind.PASSWORD_RESET)
    link = enrolled.runtime.seals.seal(Purpose.PASSWORD_RESET, UUID(mail.facts["resetId"]))
    await reset_password(asking(enrolled.runtime), RIDERS, token=link, new_password=PASSWORD)
    with pytest.raises(errors.SecondFactorRequired):
        await enrolled.sign_in()
    await enrolled.sign_in(enrolled.next_code())


async def test_who_was_sent_away_changes_nothing_of_a_second_factor(phone: Phone) -> None:
    """The access token of a session that is over is good for minutes more."""
    await phone.enroll()
    await accounts.sign_out(phone.ctx)
    acts: list[Any] = [
        enroll_second_factor(phone.ctx, current_password=PASSWORD),
        confirm_second_factor(phone.ctx, code=phone.code()),
        renew_recovery_codes(phone.ctx, code=phone.code()),
        disable_second_factor(phone.ctx, current_password=PASSWORD, code=phone.code()),
    ]
    for act in acts:
        with pytest.raises(errors.SessionEnded):
            await act
    await phone.sign_in()


async def test_nothing_that_is_stored_makes_a_code(enrolled: Phone) -> None:
    async with enrolled.runtime.reading() as session:
        factor = (await session.execute(select(tables.SecondFactor))).scalar_one()
        digests = set((await session.execute(select(tables.RecoveryCode.digest))).scalars())
    assert enrolled.secret.encode() not in factor.secret
    assert len(digests) == 10
    assert not {code.encode() for code in enrolled.recovery_codes} & digests


async def test_under_another_signing_key_recovery_codes_still_let_in(enrolled: Phone) -> None:
    rotated = Cipher(b"another key, as long as the first", second_factors.PURPOSE)
    enrolled.runtime = replace(enrolled.runtime, second_factor_secrets=rotated)
    with pytest.raises(errors.InvalidSecondFactor):
        await enrolled.sign_in(enrolled.next_code())
    await enrolled.sign_in(enrolled.recovery_codes[0])


async def test_a_code_that_cannot_be_one_is_bad_input(phone: Phone) -> None:
    for code in ("", "x" * 65):
        with pytest.raises(errors.InvalidInput) as refused:
            await confirm_second_factor(phone.ctx, code=code)
        assert refused.value.path == ["code"]


async def test_whatever_is_typed_is_no_more_than_wrong(enrolled: Phone) -> None:
    for code in ("12345", "\uff11\uff12\uff13456", "\ud800", "\0", "000000\n000000"):
        with pytest.raises(errors.InvalidSecondFactor):
            await enrolled.sign_in(code)


async def test_guesses_are_counted_per_account_and_per_address(enrolled: Phone) -> None:
    throttled = replace(enrolled.runtime, throttle=MinuteThrottle(2))
    for number in range(2):
        with pytest.raises(errors.InvalidSecondFactor):
            await renew_recovery_codes(asking(throttled, enrolled.who, address=f"192.0.2.{number}"), code="000000")
    with pytest.raises(errors.TooManyTries):
        await renew_recovery_codes(asking(throttled, enrolled.who, address="192.0.2.9"), code="000000")
    enrolled.runtime = throttled
    for _ in range(2):
        with pytest.raises(errors.InvalidSecondFactor):
            await enrolled.sign_in("000000")
    with pytest.raises(errors.TooManyTries):
        await enrolled.sign_in(enrolled.next_code())


async def test_wrong_codes_are_few_an_hour_and_take_the_right_password(enrolled: Phone) -> None:
    enrolled.runtime = replace(enrolled.runtime, code_throttle=HourThrottle(3))
    for _ in range(4):
        with pytest.raises(errors.InvalidCredentials):
            await enrolled.sign_in("000000", password="wrong")
    for _ in range(3):
        with pytest.raises(errors.InvalidSecondFactor):
            await renew_recovery_codes(enrolled.ctx, code="000000")
    with pytest.raises(errors.TooManyTries):
        await renew_recovery_codes(enrolled.ctx, code=enrolled.next_code())
    for _ in range(3):
        with pytest.raises(errors.InvalidSecondFactor):
            await enrolled.sign_in("000000")
    with pytest.raises(errors.TooManyTries) as refused:
        await enrolled.sign_in(enrolled.next_code())
    assert refused.value.retry_after_seconds > 3000
    with pytest.raises(errors.SecondFactorRequired):
        await enrolled.sign_in()


class Issuer:
    """Says of every token that it is of somebody."""

    async def identify(self, audience: Audience, id_token: str, *, nonce: str | None) -> Identity:
        del audience, nonce
        return Identity("https://issuer.example", id_token, None, False, None, None)


async def test_codes_at_linking_an_identity_count_among_those_of_sessions(enrolled: Phone) -> None:
    enrolled.runtime = replace(enrolled.runtime, code_throttle=HourThrottle(2), identity_issuer=Issuer())
    for refused in (errors.InvalidSecondFactor, errors.InvalidSecondFactor, errors.TooManyTries):
        with pytest.raises(refused):
            await link_identity(enrolled.ctx, id_token="x", nonce=None, current_password=PASSWORD, second_factor_code="000000")


async def test_secrets_that_nobody_confirmed_in_time_are_forgotten(runtime: Runtime, clock: FixedClock) -> None:
    for audience in (RIDERS, STAFF):
        phone = await phone_of(runtime, clock, audience)
        await phone.enroll()
    await phone.confirm()
    clock.advance(hours=1, seconds=-1)
    async with runtime.transaction() as session:
        assert await second_factors.forget_enrolments(session, now=clock.now()) == 0
    clock.advance(seconds=1)
    async with runtime.transaction() as session:
        assert await second_factors.forget_enrolments(session, now=clock.now()) == 1
        kept = (await session.execute(select(tables.SecondFactor.audience))).scalars().all()
    assert kept == [STAFF]
