"""Accounts: signing in, refreshing and signing out, for riders and staff alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain import accounts, errors
from domain.actor import Actor, Audience
from domain.values import is_storable
from resolvers.context import Ctx

MAX_PASSWORD_LENGTH = 1024
MAX_EMAIL_LENGTH = 320


@dataclass(frozen=True, slots=True)
class SignedIn:
    actor: Actor
    access_token: str
    access_token_seconds: int
    refresh_token: str
    refresh_token_expires_at: datetime


def _signed_in(ctx: Ctx, opened: accounts.OpenedSession) -> SignedIn:
    token, seconds = ctx.runtime.tokens.access_token(opened.actor)
    return SignedIn(opened.actor, token, seconds, opened.refresh_token, opened.expires_at)


async def sign_in(ctx: Ctx, audience: Audience, *, email: str, password: str) -> SignedIn:
    """Raises TooManyTries, InvalidCredentials (the same for an unknown email, after the same work), InvalidInput."""
    _check(email, password)
    account = f"{audience}:{accounts.normalize_email(email)}"
    if wait := await ctx.runtime.sign_in_throttle.hit(f"account:{account}", f"address:{ctx.address}"):
        raise errors.TooManyTries(wait)
    async with ctx.runtime.reading() as session:
        found = await accounts.find_credentials(session, audience, email)
    right = await ctx.runtime.hasher.verify(password, found.password_hash if found else None)
    if found is None or not right:
        raise errors.InvalidCredentials(path="password")
    async with ctx.runtime.transaction() as session:
        opened = await accounts.open_session(
            session, audience, found, days=ctx.runtime.refresh_token_days, now=ctx.runtime.clock.now()
        )
    return _signed_in(ctx, opened)


def _check(email: str, password: str) -> None:
    issues = []
    if not 3 <= len(email) <= MAX_EMAIL_LENGTH or "@" not in email or not is_storable(email):
        issues.append(errors.Issue("email", "email is not an email address."))
    if not 1 <= len(password) <= MAX_PASSWORD_LENGTH or not is_storable(password):
        issues.append(errors.Issue("password", f"A password has 1 to {MAX_PASSWORD_LENGTH} characters."))
    if issues:
        raise errors.InvalidInput(issues)


async def refresh_session(ctx: Ctx, audience: Audience, *, refresh_token: str) -> SignedIn:
    """Raises SessionEnded; then the whole session is over, also for whoever holds a newer token."""
    async with ctx.runtime.transaction() as session:
        opened = await accounts.refresh_session(
            session, audience, refresh_token, days=ctx.runtime.refresh_token_days, now=ctx.runtime.clock.now()
        )
    if opened is None:
        raise errors.SessionEnded(path="refreshToken")
    return _signed_in(ctx, opened)


async def sign_out(ctx: Ctx) -> None:
    async with ctx.runtime.transaction() as session:
        await accounts.end_session(session, ctx.who, now=ctx.runtime.clock.now())


async def get_customer(ctx: Ctx) -> accounts.Customer:
    async with ctx.runtime.reading() as session:
        return await accounts.get_customer(session, ctx.who.account_id)


async def get_staff_member(ctx: Ctx) -> accounts.StaffMember:
    async with ctx.runtime.reading() as session:
        return await accounts.get_staff_member(session, ctx.who.account_id)
