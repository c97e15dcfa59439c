"""Promotions: codes that riders redeem for credit, and credit that receipts are paid with first."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, ids, ledger, metros, settlements, tables
from domain.actor import Actor
from domain.tables import LedgerAccount
from domain.values import Money

MOST_MINOR = 100_000
MOST_REDEMPTIONS = 1_000_000
_CODE = re.compile(r"[A-Z0-9]{4,20}")

_TURN = text("select pg_advisory_xact_lock(hashtextextended(:turn, 0))")
_rows = tables.Promotion


@dataclass(frozen=True, slots=True)
class Promotion:
    id: UUID
    code: str
    metro_id: UUID
    amount: Money
    valid_until: datetime
    max_redemptions: int
    redemptions: int


def read_code(code: str) -> str:
    """As people type it. Raises InvalidInput."""
    plain = code.strip().upper()
    if not _CODE.fullmatch(plain):
        raise errors.InvalidInput.of("code", "A code has 4 to 20 letters and digits.")
    return plain


async def create_promotion(
    session: AsyncSession,
    who: Actor,
    *,
    promotion_id: UUID,
    code: str,
    metro_id: UUID,
    amount: Money,
    valid_until: datetime,
    max_redemptions: int,
    now: datetime,
) -> UUID:
    """Raises NotFound (another's metro), InvalidInput."""
    metro = await metros.get_metro(session, metro_id)
    if who.metro_ids is not None and metro_id not in who.metro_ids:
        raise errors.NotFound(path="metroId")
    issues = []
    if amount.currency != metro.currency or not 1 <= amount.minor_units <= MOST_MINOR:
        issues.append(errors.Issue("amount", f"An amount is 1 to {MOST_MINOR} minor units of {metro.currency}."))
    if valid_until <= now:
        issues.append(errors.Issue("validUntil", "This lies in the past."))
    if not 1 <= max_redemptions <= MOST_REDEMPTIONS:
        issues.append(errors.Issue("maxRedemptions", f"A code is redeemed 1 to {MOST_REDEMPTIONS} times."))
    if issues:
        raise errors.InvalidInput(issues)
    made = insert(_rows).values(
        id=promotion_id,
        code=read_code(code),
        metro_id=metro_id,
        amount_minor=amount.minor_units,
        currency=amount.currency,
        valid_until=valid_until,
        max_redemptions=max_redemptions,
        redemptions=0,
        created_at=now,
    )
    if (await session.execute(made.on_conflict_do_nothing().returning(_rows.id))).scalar_one_or_none() is None:
        raise errors.InvalidInput.of("code", "There is a promotion with this code already.")
    return promotion_id


async def get_promotion(session: AsyncSession, promotion_id: UUID) -> Promotion:
    row = await session.get_one(_rows, promotion_id)
    amount = Money(row.amount_minor, row.currency)
    return Promotion(row.id, row.code, row.metro_id, amount, row.valid_until, row.max_redemptions, row.redemptions)


async def redeem_promotion(session: AsyncSession, who: Actor, *, code: str, redemption_id: UUID, now: datetime) -> None:
    """Credit for the rider, once a code. Raises InvalidInput, PromotionClosed: the same for a code that there never was."""
    found = select(_rows).where(_rows.code == read_code(code)).with_for_update()
    row = (await session.execute(found)).scalar_one_or_none()
    if row is None or row.valid_until <= now or row.redemptions >= row.max_redemptions:
        raise errors.PromotionClosed(path="code")
    made = insert(tables.Redemption).values(id=redemption_id, promotion_id=row.id, customer_id=who.account_id, redeemed_at=now)
    redeemed = made.on_conflict_do_nothing().returning(tables.Redemption.id)
    if (await session.execute(redeemed)).scalar_one_or_none() is None:
        raise errors.PromotionClosed("You have redeemed this code already.", path="code")
    row.redemptions += 1
    await session.flush()
    await ledger.post(
        session,
        key=f"redemption:{redemption_id}",
        entries={LedgerAccount.PROMOTIONS: row.amount_minor, LedgerAccount.CREDIT: -row.amount_minor},
        currency=row.currency,
        customer_id=who.account_id,
        receipt_id=None,
        at=now,
    )


async def list_credit(session: AsyncSession, customer_id: UUID) -> list[Money]:
    """What is left, one a currency."""
    held = await ledger.balance(session, LedgerAccount.CREDIT, customer_id)
    return [Money(-minor, currency) for currency, minor in sorted(held.items()) if minor < 0]


async def credit_of(session: AsyncSession, customer_id: UUID, currency: str) -> int:
    return next((left.minor_units for left in await list_credit(session, customer_id) if left.currency == currency), 0)


async def use_credit(session: AsyncSession, receipt: tables.Receipt, now: datetime) -> int:
    """Of a locked receipt; how much. Two receipts take turns: credit is spent once."""
    if receipt.settled_minor >= receipt.total_minor or not await credit_of(session, receipt.customer_id, receipt.currency):
        return 0
    # Not by the row of the account: who erases it or unlocks with it has that before a reservation, which may be ours.
    await session.execute(_TURN, {"turn": f"credit:{receipt.customer_id}"})
    credit = await credit_of(session, receipt.customer_id, receipt.currency)
    amount = min(credit, receipt.total_minor - receipt.settled_minor)
    if amount > 0:
        await settlements.settle_from(
            session, receipt, LedgerAccount.CREDIT, amount, what=f"credit:{receipt.settled_minor}", now=now
        )
    return amount


async def hand_over_use(session: AsyncSession, receipt_ids: Collection[UUID], *, to: UUID, now: datetime) -> None:
    """Before these receipts become somebody else's: what credit has paid of them stays spent. It takes its part of the codes
    along, so that both sides are even."""
    entries, moves = tables.LedgerEntry, tables.LedgerTransaction
    used = (
        select(moves.customer_id, entries.currency, func.sum(entries.amount_minor))
        .join(moves, entries.transaction_id == moves.id)
        .where(moves.receipt_id.in_(receipt_ids), entries.account == LedgerAccount.CREDIT, moves.customer_id != to)
        .group_by(moves.customer_id, entries.currency)
    )
    for customer_id, currency, minor in (await session.execute(used)).all():
        for whose, amount in ((customer_id, int(minor)), (to, -int(minor))):
            await ledger.post(
                session,
                key=f"credit:{ids.new()}",
                entries={LedgerAccount.CREDIT: amount, LedgerAccount.PROMOTIONS: -amount},
                currency=currency,
                customer_id=whose,
                receipt_id=None,
                at=now,
            )
