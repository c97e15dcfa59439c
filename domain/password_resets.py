"""Password resets: setting a password anew by a link that only the owner of the address gets."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts, errors, history, ids, notifications, sessions, tables
from domain.actor import Audience
from domain.values import NotificationKind

#: how long the link in the mail is good for
LASTS = timedelta(hours=1)

_rows = tables.PasswordReset


async def request_password_reset(session: AsyncSession, audience: Audience, email: str, *, now: datetime) -> None:
    """Sends a link if the address has an account. If not, the same is done and taken back: the clock tells nobody which."""
    account = accounts.table_of(audience)
    language = tables.Customer.language if audience is Audience.CUSTOMER else literal("en")
    # Who never had a password signs in elsewhere; staff are not led around that.
    has_password = literal(True) if audience is Audience.CUSTOMER else tables.Staff.password_hash.is_not(None)
    owner = select(account.id, language).where(account.email == accounts.normalize_email(email), has_password)
    # Locked: an account that is being erased keeps no link.
    found = (await session.execute(owner.with_for_update(read=True))).one_or_none()
    account_id, speaks = (ids.new(), "en") if found is None else found
    reset_id = ids.new()
    row = {"id": reset_id, "audience": audience, "account_id": account_id, "created_at": now, "expires_at": now + LASTS}
    async with session.begin_nested() as step:
        await session.execute(insert(_rows).values(row))
        await notifications.notify(
            session,
            NotificationKind.PASSWORD_RESET,
            email=accounts.normalize_email(email),
            language=speaks,
            facts={"resetId": str(reset_id), "audience": audience},
            now=now,
        )
        if found is None:
            await step.rollback()


async def reset_password(session: AsyncSession, audience: Audience, reset_id: UUID, *, new_hash: str, now: datetime) -> None:
    """Ends all sessions and all other links of the account; a second factor stays. Raises LinkExpired."""
    account = accounts.table_of(audience)
    owner = select(_rows.account_id).where(_rows.id == reset_id, _rows.audience == audience, _rows.expires_at > now)
    # The account first: all links of one account wait for each other there, and only the first finds its own still there.
    change = update(account).where(account.id == owner.scalar_subquery()).values(password_hash=new_hash)
    account_id = (await session.execute(change.returning(account.id))).scalar_one_or_none()
    if account_id is None or reset_id not in await accounts.forget_links(session, audience, account_id):
        raise errors.LinkExpired(path="token")
    await sessions.end_sessions_of(session, audience, account_id, now=now)
    await accounts.tell_owner(session, audience, account_id, NotificationKind.PASSWORD_CHANGED, {}, now=now)


async def forget_password_resets(session: AsyncSession, *, now: datetime, limit: int = history.BATCH) -> int:
    """Deletes those whose link has expired. Returns how many; fewer than `limit` when no more are due."""
    due = select(_rows.id).where(_rows.expires_at <= now).order_by(_rows.expires_at).limit(limit)
    due = due.with_for_update(skip_locked=True)
    gone = await session.execute(delete(_rows).where(_rows.id.in_(due)).returning(_rows.id))
    return len(gone.all())
