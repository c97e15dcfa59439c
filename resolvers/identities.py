"""Identities: signing in with the ID token of an outside issuer, and those that are linked to the account of a rider."""

from __future__ import annotations

from uuid import UUID

from domain import errors, identities, ids, second_factors
from domain.actor import Audience
from domain.ports import Identity
from resolvers import tries
from resolvers.accounts import SignedIn, check_code, check_current_password, signed_in
from resolvers.context import Ctx

MAX_TOKEN_LENGTH = 16_384
MAX_NONCE_LENGTH = 512


async def sign_in_with_identity_token(ctx: Ctx, audience: Audience, *, id_token: str, nonce: str | None) -> SignedIn:
    """Raises TooManyTries, IssuerNotConfigured, IdentityTokenRefused, EmailNotVerified, SecondFactorRequired, RoleNotGranted,
    OutOfReach, InvalidInput."""
    identity = await _identify(ctx, audience, id_token=id_token, nonce=nonce)
    async with ctx.runtime.transaction() as session:
        opened = await identities.sign_in_with_identity_token(
            session, audience, identity, days=ctx.runtime.refresh_token_days, now=ctx.runtime.clock.now()
        )
    return signed_in(ctx, opened)


async def link_identity(
    ctx: Ctx, *, id_token: str, nonce: str | None, current_password: str, second_factor_code: str | None = None
) -> None:
    """Raises TooManyTries, InvalidCredentials, SecondFactorRequired, InvalidSecondFactor, IssuerNotConfigured,
    IdentityTokenRefused, IdentityTaken, OutOfReach, InvalidInput. Asks for all that signing in asks for: whoever holds a stolen
    session must not let themselves in for good, past the second factor."""
    code = check_code("secondFactorCode", second_factor_code)
    identity = await _identify(ctx, Audience.CUSTOMER, id_token=id_token, nonce=nonce)
    password_hash = await check_current_password(ctx, current_password)
    if code is not None:
        await tries.count_code(ctx, "second-factor", f"{ctx.who.audience}:{ctx.who.account_id}")
    now = ctx.runtime.clock.now()
    async with ctx.runtime.transaction() as session:
        await second_factors.require_second_factor(session, ctx.who, code=code, cipher=ctx.runtime.second_factor_secrets, now=now)
        await identities.link_identity(session, ctx.who, identity, password_hash=password_hash, now=now)


async def list_identities(ctx: Ctx) -> list[identities.LinkedIdentity]:
    async with ctx.runtime.reading() as session:
        return await identities.list_identities(session, ctx.who)


async def find_identity(ctx: Ctx, identity_id: UUID) -> identities.LinkedIdentity | None:
    async with ctx.runtime.reading() as session:
        return await identities.find_identity(session, ctx.who, identity_id)


async def unlink_identity(ctx: Ctx, *, identity_id: str) -> None:
    """Raises InvalidInput, NotFound."""
    gone = ids.decode(identity_id, ids.IDENTITY, path="identityId")
    async with ctx.runtime.transaction() as session:
        await identities.unlink_identity(session, ctx.who, identity_id=gone)


async def _identify(ctx: Ctx, audience: Audience, *, id_token: str, nonce: str | None) -> Identity:
    issues = []
    if not 1 <= len(id_token) <= MAX_TOKEN_LENGTH:
        issues.append(errors.Issue("idToken", f"An ID token has 1 to {MAX_TOKEN_LENGTH:,} characters."))
    if nonce is not None and not 1 <= len(nonce) <= MAX_NONCE_LENGTH:
        issues.append(errors.Issue("nonce", f"A nonce has 1 to {MAX_NONCE_LENGTH} characters. Without one, leave it out."))
    if issues:
        raise errors.InvalidInput(issues)
    await tries.count_try(ctx, "identity")
    return await ctx.runtime.identity_issuer.identify(audience, id_token, nonce=nonce)
