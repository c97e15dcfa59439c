"""Registrations: becoming a rider, by an address that is one's own."""

from __future__ import annotations

import re
from datetime import datetime

from domain import accounts, consents, errors, registrations
from domain.seals import Purpose
from domain.values import LANGUAGES, is_storable
from resolvers import tries
from resolvers.accounts import MAX_PASSWORD_LENGTH, SignedIn, new_password_issues, signed_in
from resolvers.context import Ctx

MAX_NAME_LENGTH = 100
#: RFC 5321
MAX_EMAIL_LENGTH = 254
#: what every mail server takes; a domain in other letters is written in its ASCII form
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}")


async def register(
    ctx: Ctx, *, email: str, password: str, name: str, language: str, has_accepted_terms: bool, document_version: str
) -> datetime:
    """Until when the address can be verified. The same answer after the same work whether it has an account or not.
    Raises InvalidInput, TooManyTries."""
    email, name = accounts.normalize_email(email), name.strip()
    if issues := [
        *_email_issues(email),
        *new_password_issues("password", password),
        *_name_issues(name),
        *_language_issues(language),
        *_terms_issues(has_accepted_terms, document_version),
    ]:
        raise errors.InvalidInput(issues)
    await tries.count_try(ctx, "register", email)
    new = registrations.NewRider(email, await ctx.runtime.hasher.hash(password), name, language, document_version)
    async with ctx.runtime.transaction() as session:
        return await registrations.register(session, new, now=ctx.runtime.clock.now())


def _email_issues(email: str) -> list[errors.Issue]:
    if len(email) <= MAX_EMAIL_LENGTH and _EMAIL.fullmatch(email):
        return []
    return [
        errors.Issue("email", f"email is not an address that mail can be sent to: {MAX_EMAIL_LENGTH} ASCII characters at most.")
    ]


def _name_issues(name: str) -> list[errors.Issue]:
    if 1 <= len(name) <= MAX_NAME_LENGTH and name.isprintable() and is_storable(name):
        return []
    return [errors.Issue("name", f"A name has 1 to {MAX_NAME_LENGTH} characters, all of them visible, in one line.")]


def _language_issues(language: str) -> list[errors.Issue]:
    if language in LANGUAGES:
        return []
    return [errors.Issue("language", f"language is one of {', '.join(LANGUAGES)}.")]


def _terms_issues(has_accepted_terms: bool, document_version: str) -> list[errors.Issue]:
    longest, issues = consents.MAX_VERSION_LENGTH, []
    if not has_accepted_terms:
        issues.append(errors.Issue("hasAcceptedTerms", "Nobody can ride with us without accepting the terms."))
    if not 1 <= len(document_version) <= longest or not is_storable(document_version):
        issues.append(errors.Issue("documentVersion", f"A document version has 1 to {longest} characters."))
    return issues


_MISTAKEN = "This is not the password of the registration that the mail is about. If it was not yours, register again."


async def verify_email(ctx: Ctx, *, token: str, password: str) -> SignedIn:
    """By whoever has the link and knows the password: somebody else's registration of one's own address, opened from the
    mailbox, would be an account of which a stranger has the password. Raises TooManyTries, LinkExpired, InvalidCredentials."""
    await tries.count_try(ctx, "verify-email")
    registration_id, now = ctx.runtime.seals.open(Purpose.EMAIL_VERIFICATION, token), ctx.runtime.clock.now()
    async with ctx.runtime.reading() as session:
        password_hash = await registrations.get_password_hash(session, registration_id, now=now)
    if password_hash is not None and not await ctx.runtime.hasher.verify(password[: MAX_PASSWORD_LENGTH + 1], password_hash):
        raise errors.InvalidCredentials(_MISTAKEN, path="password")
    async with ctx.runtime.transaction() as session:
        opened = await registrations.verify_email(
            session, registration_id, password_hash=password_hash, days=ctx.runtime.refresh_token_days, now=now
        )
    return signed_in(ctx, opened)
