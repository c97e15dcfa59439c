"""Second factors: enrolling an app, confirming and disabling it, recovery codes, for riders and staff alike."""

from __future__ import annotations

from domain import errors, second_factors
from resolvers import tries
from resolvers.accounts import check_code, check_current_password
from resolvers.context import Ctx


async def find_protection(ctx: Ctx) -> second_factors.Protection:
    async with ctx.runtime.reading() as session:
        return await second_factors.find_protection(session, ctx.who)


async def enroll_second_factor(ctx: Ctx, *, current_password: str) -> second_factors.Enrolment:
    """Raises InvalidInput, TooManyTries, InvalidCredentials, SessionEnded, SecondFactorInForce."""
    password_hash = await check_current_password(ctx, current_password)
    async with ctx.runtime.transaction() as session:
        return await second_factors.enroll_second_factor(
            session, ctx.who, password_hash=password_hash, cipher=ctx.runtime.second_factor_secrets, now=ctx.runtime.clock.now()
        )


async def confirm_second_factor(ctx: Ctx, *, code: str) -> list[str]:
    """Recovery codes. Raises InvalidInput, TooManyTries, SessionEnded, NotFound, SecondFactorInForce, InvalidSecondFactor."""
    given = await _counted(ctx, code)
    async with ctx.runtime.transaction() as session:
        return await second_factors.confirm_second_factor(
            session, ctx.who, code=given, cipher=ctx.runtime.second_factor_secrets, now=ctx.runtime.clock.now()
        )


async def renew_recovery_codes(ctx: Ctx, *, code: str) -> list[str]:
    """Raises InvalidInput, TooManyTries, SessionEnded, NotFound, InvalidSecondFactor."""
    given = await _counted(ctx, code)
    async with ctx.runtime.transaction() as session:
        return await second_factors.renew_recovery_codes(
            session, ctx.who, code=given, cipher=ctx.runtime.second_factor_secrets, now=ctx.runtime.clock.now()
        )


async def disable_second_factor(ctx: Ctx, *, current_password: str, code: str) -> None:
    """Raises InvalidInput, TooManyTries, InvalidCredentials, SessionEnded, NotFound, InvalidSecondFactor."""
    given = await _counted(ctx, code)
    password_hash = await check_current_password(ctx, current_password)
    async with ctx.runtime.transaction() as session:
        await second_factors.disable_second_factor(
            session,
            ctx.who,
            password_hash=password_hash,
            code=given,
            cipher=ctx.runtime.second_factor_secrets,
            now=ctx.runtime.clock.now(),
        )


async def _counted(ctx: Ctx, code: str) -> str:
    given = check_code("code", code)
    if given is None:
        raise errors.InvalidInput.of("code", "code is empty: take one from the app, or a recovery code.")
    account = f"{ctx.who.audience}:{ctx.who.account_id}"
    await tries.count_try(ctx, "second-factor", account)
    await tries.count_code(ctx, "second-factor", account)
    return given
