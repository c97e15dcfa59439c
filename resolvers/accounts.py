"""Accounts: signing in, staying so, signing out here and elsewhere, and the password, for riders and staff alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import accounts, errors, ids, sessions
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
    issues = _password_issues("password", password)
    if not 3 <= len(email) <= MAX_EMAIL_LENGTH or "@" not in email or not is_storable(email):
        issues.insert(0, errors.Issue("email", "email is not an email address."))
    if issues:
        raise errors.InvalidInput(issues)


def _password_issues(path: str, password: str) -> list[errors.Issue]:
    if 1 <= len(password) <= MAX_PASSWORD_LENGTH and is_storable(password):
        return []
    return [errors.Issue(path, f"A password has 1 to {MAX_PASSWORD_LENGTH} characters.")]


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
        await accounts.sign_out(session, ctx.who, now=ctx.runtime.clock.now())


async def list_sessions(ctx: Ctx) -> list[sessions.Session]:
    async with ctx.runtime.reading() as session:
        return await sessions.list_sessions(session, ctx.who, now=ctx.runtime.clock.now())


async def find_session(ctx: Ctx, session_id: UUID) -> sessions.Session | None:
    async with ctx.runtime.reading() as session:
        return await sessions.find_session(session, ctx.who, session_id, now=ctx.runtime.clock.now())


async def end_session(ctx: Ctx, *, session_id: str) -> None:
    """Raises InvalidInput, NotFound, SessionEnded."""
    ending = ids.decode(session_id, ids.SESSION, path="sessionId")
    async with ctx.runtime.transaction() as session:
        await sessions.end_session(session, ctx.who, session_id=ending, now=ctx.runtime.clock.now())


async def sign_out_everywhere(ctx: Ctx, *, is_current_kept: bool) -> None:
    """Raises SessionEnded."""
    async with ctx.runtime.transaction() as session:
        await sessions.end_all_sessions(session, ctx.who, is_current_kept=is_current_kept, now=ctx.runtime.clock.now())


async def change_password(ctx: Ctx, *, current_password: str, new_password: str) -> None:
    """Raises TooManyTries, InvalidCredentials, SessionEnded, InvalidInput."""
    if issues := [*_password_issues("currentPassword", current_password), *_password_issues("newPassword", new_password)]:
        raise errors.InvalidInput(issues)
    account = f"{ctx.who.audience}:{ctx.who.account_id}"
    if wait := await ctx.runtime.sign_in_throttle.hit(f"password:{account}", f"address:{ctx.address}"):
        raise errors.TooManyTries(wait)
    async with ctx.runtime.reading() as session:
        old_hash = await accounts.find_password_hash(session, ctx.who)
    right = await ctx.runtime.hasher.verify(current_password, old_hash)
    if old_hash is None or not right:
        raise errors.InvalidCredentials("The current password is wrong.", path="currentPassword")
    new_hash = await ctx.runtime.hasher.hash(new_password)
    async with ctx.runtime.transaction() as session:
        await accounts.change_password(session, ctx.who, old_hash=old_hash, new_hash=new_hash, now=ctx.runtime.clock.now())


async def get_customer(ctx: Ctx) -> accounts.Customer:
    async with ctx.runtime.reading() as session:
        return await accounts.get_customer(session, ctx.who.account_id)


async def get_staff_member(ctx: Ctx) -> accounts.StaffMember:
    async with ctx.runtime.reading() as session:
        return await accounts.get_staff_member(session, ctx.who.account_id)
