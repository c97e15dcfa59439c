"""Privacy: exports, consents and the end of an account, as their rider asks for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

from domain import accounts, consents, erasure, errors, exports, idempotency, ids
from domain.seals import Purpose
from domain.tables import ConsentPurpose, ExportState
from resolvers import tries
from resolvers.accounts import MAX_PASSWORD_LENGTH
from resolvers.context import Ctx, Runtime


async def request_data_export(ctx: Ctx, *, idempotency_key: str) -> exports.Export:
    """Raises ExportInProgress, ExportLimitReached, InvalidInput, IdempotencyConflict."""
    now = ctx.runtime.clock.now()
    export_id = ids.new()
    async with ctx.runtime.transaction() as session:
        seen = await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation="request_data_export",
            key=idempotency_key,
            given={},
            result_id=export_id,
            now=now,
        )
        if seen is None:
            per_day = ctx.runtime.exports_per_day
            await exports.request_data_export(session, ctx.who, export_id=export_id, per_day=per_day, now=now)
        return await exports.get_export(session, ctx.who, seen or export_id, now=now)


async def list_exports(ctx: Ctx) -> list[exports.Export]:
    async with ctx.runtime.reading() as session:
        return await exports.list_exports(session, ctx.who, now=ctx.runtime.clock.now())


async def find_export(ctx: Ctx, export_id: UUID) -> exports.Export | None:
    async with ctx.runtime.reading() as session:
        try:
            return await exports.get_export(session, ctx.who, export_id, now=ctx.runtime.clock.now())
        except errors.NotFound:
            return None


def download_url(ctx: Ctx, export: exports.Export) -> str | None:
    """While its archive is there."""
    if export.state is not ExportState.READY:
        return None
    return f"{ctx.runtime.public_url}/exports/{ctx.runtime.seals.seal(Purpose.DATA_EXPORT, export.id)}"


async def open_archive(runtime: Runtime, token: str) -> AsyncIterator[bytes]:
    """The archive behind a link, piece by piece. Raises NotFound (not a link of ours), LinkExpired."""
    try:
        export_id = runtime.seals.open(Purpose.DATA_EXPORT, token)
    except errors.LinkExpired as error:
        raise errors.NotFound("There is no such archive.", path="token") from error
    async with runtime.reading() as session:
        count = await exports.count_parts(session, export_id, now=runtime.clock.now())
    return _pieces(runtime, export_id, count)


async def _pieces(runtime: Runtime, export_id: UUID, count: int) -> AsyncIterator[bytes]:
    # A session a piece: a slow reader must not hold a connection.
    for number in range(count):
        async with runtime.reading() as session:
            content = await exports.get_part(session, export_id, number)
        if content is None:
            raise errors.LinkExpired(path="token")
        yield content


async def record_consent(ctx: Ctx, *, purpose: ConsentPurpose, document_version: str, is_granted: bool) -> list[consents.Consent]:
    """What is in force then. Raises InvalidInput."""
    given = consents.Given(purpose, document_version, is_granted)
    async with ctx.runtime.transaction() as session:
        now = ctx.runtime.clock.now()
        await consents.record_consents(session, ctx.who.account_id, [given], source=consents.SETTINGS, now=now)
        return await consents.list_consents(session, ctx.who.account_id)


async def list_consents(ctx: Ctx) -> list[consents.Consent]:
    async with ctx.runtime.reading() as session:
        return await consents.list_consents(session, ctx.who.account_id)


async def list_consent_history(ctx: Ctx) -> list[consents.Consent]:
    async with ctx.runtime.reading() as session:
        return await consents.list_consent_history(session, ctx.who.account_id)


async def erase_account(ctx: Ctx, *, password: str | None, confirmation: str | None, idempotency_key: str) -> None:
    """Needs the password, or of an account without one its address. Raises TooManyTries, InvalidCredentials, SessionEnded,
    ErasureBlocked, InvalidInput, IdempotencyConflict."""
    async with ctx.runtime.reading() as session:
        account = await erasure.get_account(session, ctx.who, now=ctx.runtime.clock.now())
    await _check(ctx, account, password, confirmation)
    async with ctx.runtime.transaction() as session:
        now = ctx.runtime.clock.now()
        given = {"is_password": password is not None, "confirmation": confirmation}
        # The key goes with the account; it only holds back the same act beside this one.
        await idempotency.claim(
            session,
            account_id=ctx.who.account_id,
            mutation="erase_account",
            key=idempotency_key,
            given=given,
            result_id=ctx.who.account_id,
            now=now,
        )
        await erasure.erase_account(session, ctx.who, checked=account, now=now)


async def _check(ctx: Ctx, account: erasure.Account, password: str | None, confirmation: str | None) -> None:
    await tries.count_try(ctx, "erase", str(ctx.who.account_id))
    if account.password_hash is None:
        if accounts.normalize_email(confirmation or "") != account.email:
            raise errors.InvalidInput.of("confirmation", "Write the email address of the account, to confirm.")
    elif password is None:
        raise errors.InvalidInput.of("password", "Give the password of the account, to confirm.")
    elif len(password) > MAX_PASSWORD_LENGTH:
        raise errors.InvalidInput.of("password", f"A password has 1 to {MAX_PASSWORD_LENGTH} characters.")
    elif not await ctx.runtime.hasher.verify(password, account.password_hash):
        raise errors.InvalidCredentials("The password is wrong.", path="password")
