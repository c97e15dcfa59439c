"""Password resets: asking for a link, and setting the password by it, for riders and staff alike."""

from __future__ import annotations

from domain import accounts, errors, password_resets
from domain.actor import Audience
from domain.seals import Purpose
from resolvers import tries
from resolvers.accounts import email_issues, new_password_issues
from resolvers.context import Ctx


async def request_password_reset(ctx: Ctx, audience: Audience, *, email: str) -> None:
    """The same whether the address has an account or not. Raises InvalidInput, TooManyTries."""
    if issues := email_issues(email):
        raise errors.InvalidInput(issues)
    await tries.count_try(ctx, "request-reset", f"{audience}:{accounts.normalize_email(email)}")
    async with ctx.runtime.transaction() as session:
        await password_resets.request_password_reset(session, audience, email, now=ctx.runtime.clock.now())


async def reset_password(ctx: Ctx, audience: Audience, *, token: str, new_password: str) -> None:
    """Raises InvalidInput, TooManyTries, LinkExpired."""
    if issues := new_password_issues("newPassword", new_password):
        raise errors.InvalidInput(issues)
    await tries.count_try(ctx, "reset")
    reset_id = ctx.runtime.seals.open(Purpose.PASSWORD_RESET, token)
    new_hash = await ctx.runtime.hasher.hash(new_password)
    async with ctx.runtime.transaction() as session:
        await password_resets.reset_password(session, audience, reset_id, new_hash=new_hash, now=ctx.runtime.clock.now())
