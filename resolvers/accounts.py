"""Accounts: signing in, staying so, signing out here and elsewhere, and the password, for riders and staff alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain import accounts, errors, ids, second_factors, sessions
from domain.actor import Actor, Audience
from domain.values import is_storable
from resolvers import tries
from resolvers.context import Ctx

#: of a new one; older ones may be shorter
MIN_PASSWORD_LENGTH = 8
MAX_PASSWORD_LENGTH = 1024
MAX_EMAIL_LENGTH = 320
MAX_CODE_LENGTH = 64


@dataclass(frozen=True, slots=True)
class SignedIn:
    actor: Actor
    access_token: str
    access_token_seconds: int
    refresh_token: str
    refresh_token_expires_at: datetime


def signed_in(ctx: Ctx, opened: accounts.OpenedSession) -> SignedIn:
    token, seconds = ctx.runtime.tokens.access_token(opened.actor)
    return SignedIn(opened.actor, token, seconds, opened.refresh_token, opened.expires_at)


async def sign_in(ctx: Ctx, audience: Audience, *, email: str, password: str, second_factor_code: str | None = None) -> SignedIn:
    """Raises TooManyTries, InvalidCredentials (the same for an unknown email, after the same work), InvalidInput; with the right
    password SecondFactorRequired and InvalidSecondFactor."""
    _check(email, password)
    code = check_code("secondFactorCode", second_factor_code)
    await tries.count_try(ctx, "sign-in", f"{audience}:{accounts.normalize_email(email)}")
    async with ctx.runtime.reading() as session:
        found = await accounts.find_credentials(session, audience, email)
    right = await ctx.runtime.hasher.verify(password, found.password_hash if found else None)
    if found is None or not right:
        raise errors.InvalidCredentials(path="password")
    if code is not None:
        await tries.count_code(ctx, "sign-in", f"{audience}:{found.account_id}")
    now = ctx.runtime.clock.now()
    async with ctx.runtime.transaction() as session:
        opened = await accounts.open_session(session, audience, found, days=ctx.runtime.refresh_token_days, now=now)
        await second_factors.require_second_factor(
            session, opened.actor, code=code, cipher=ctx.runtime.second_factor_secrets, now=now
        )
    return signed_in(ctx, opened)


def check_code(path: str, code: str | None) -> str | None:
    """None for none, also for an empty field of a form. Raises InvalidInput."""
    if code is not None and len(code) > MAX_CODE_LENGTH:
        raise errors.InvalidInput.of(path, f"A code has {MAX_CODE_LENGTH} characters at most.")
    return code or None


def _check(email: str, password: str) -> None:
    if issues := [*email_issues(email), *_password_issues("password", password)]:
        raise errors.InvalidInput(issues)


def email_issues(email: str) -> list[errors.Issue]:
    """Of one to look for; who registers is asked for more."""
    if 3 <= len(email) <= MAX_EMAIL_LENGTH and "@" in email and is_storable(email):
        return []
    return [errors.Issue("email", "email is not an email address.")]


def _password_issues(path: str, password: str) -> list[errors.Issue]:
    if 1 <= len(password) <= MAX_PASSWORD_LENGTH and is_storable(password):
        return []
    return [errors.Issue(path, f"A password has 1 to {MAX_PASSWORD_LENGTH} characters.")]


def new_password_issues(path: str, password: str) -> list[errors.Issue]:
    if MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH and is_storable(password):
        return []
    return [errors.Issue(path, f"A new password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters.")]


async def refresh_session(ctx: Ctx, audience: Audience, *, refresh_token: str) -> SignedIn:
    """Raises SessionEnded; then the whole session is over, also for whoever holds a newer token."""
    async with ctx.runtime.transaction() as session:
        opened = await accounts.refresh_session(
            session, audience, refresh_token, days=ctx.runtime.refresh_token_days, now=ctx.runtime.clock.now()
        )
    if opened is None:
        raise errors.SessionEnded(path="refreshToken")
    return signed_in(ctx, opened)


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
    if issues := [*_password_issues("currentPassword", current_password), *new_password_issues("newPassword", new_password)]:
        raise errors.InvalidInput(issues)
    old_hash = await check_current_password(ctx, current_password)
    new_hash = await ctx.runtime.hasher.hash(new_password)
    async with ctx.runtime.transaction() as session:
        await accounts.change_password(session, ctx.who, old_hash=old_hash, new_hash=new_hash, now=ctx.runtime.clock.now())


async def check_current_password(ctx: Ctx, current_password: str) -> str:
    """The hash that it fits. Raises InvalidInput, TooManyTries, InvalidCredentials."""
    if issues := _password_issues("currentPassword", current_password):
        raise errors.InvalidInput(issues)
    await tries.count_try(ctx, "password", f"{ctx.who.audience}:{ctx.who.account_id}")
    async with ctx.runtime.reading() as session:
        old_hash = await accounts.find_password_hash(session, ctx.who)
    right = await ctx.runtime.hasher.verify(current_password, old_hash)
    if old_hash is None or not right:
        raise errors.InvalidCredentials("The current password is wrong.", path="currentPassword")
    return old_hash


async def get_customer(ctx: Ctx) -> accounts.Customer:
    async with ctx.runtime.reading() as session:
        return await accounts.get_customer(session, ctx.who.account_id)


async def get_staff_member(ctx: Ctx) -> accounts.StaffMember:
    async with ctx.runtime.reading() as session:
        return await accounts.get_staff_member(session, ctx.who.account_id)
