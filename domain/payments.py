"""Payments: what the gateway is asked for, once, and how a receipt is collected until it is settled.

A row that `asks` something and is due is taken by whoever claims it first, with a lease: `next_attempt_at` moves to its end.
Whoever asks records the answer (`payment_answers`); who dies meanwhile leaves a row that is due again. Every ask has one key,
so that asking twice does it once.

Locks: the trip, its receipt, the payment, in this order.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, jobs, payment_methods, promotions, receipts, settlements, tables
from domain.actor import Actor, Audience
from domain.tables import LedgerAccount, PaymentAsk, PaymentPurpose, PaymentState

#: after the first refusal, the second and the third; then the rider has to act
RETRIES = (timedelta(hours=1), timedelta(days=1), timedelta(days=3))
#: least that cards are charged, by currency; what is less is forgiven
SMALLEST = {
    "EUR": 50,
    "USD": 50,
    "CHF": 50,
    "GBP": 30,
    "DKK": 250,
    "NOK": 300,
    "SEK": 300,
    "PLN": 200,
    "RON": 200,
    "CZK": 1_500,
    "HUF": 17_500,
}
#: of other currencies
SMALLEST_ELSEWHERE = 50

_rows = tables.Payment
OPEN = (PaymentState.PENDING, PaymentState.AUTHORIZED)


@dataclass(frozen=True, slots=True)
class Payment:
    id: UUID
    purpose: PaymentPurpose
    state: PaymentState
    amount_minor: int
    captured_minor: int
    refunded_minor: int
    currency: str
    failure: str | None
    #: when it is tried, if that lies ahead
    next_attempt_at: datetime | None
    created_at: datetime


async def defer_ask(session: AsyncSession, payment_id: UUID) -> None:
    """For speed: what is lost is found by looking."""
    args = {"payment_id": str(payment_id)}
    await jobs.defer(session, jobs.ASK_GATEWAY, args, queue=jobs.Queue.CUSTOMER, lock=f"payment:{payment_id}")


async def collect(session: AsyncSession, receipt: tables.Receipt, now: datetime) -> None:
    """Credit is used first; what is due then is taken from the deposit of its trip, and charged for the rest; a deposit that
    is not needed is let go. To be called once it was issued; calling it again asks for nothing twice."""
    await session.refresh(receipt, with_for_update=True)
    await promotions.use_credit(session, receipt, now)
    due = receipt.total_minor - receipt.settled_minor
    deposit = await _find_deposit(session, receipt.trip_id)
    if deposit is not None:
        if (
            due >= smallest(receipt.currency)
            and deposit.state is PaymentState.AUTHORIZED
            and deposit.asks in (None, PaymentAsk.CAPTURE)
        ):
            if deposit.asks is None:
                deposit.receipt_id = receipt.id
                deposit.captured_minor = min(due, deposit.amount_minor)
                await ask(session, deposit, PaymentAsk.CAPTURE, now=now)
            return
        await let_payment_go(session, deposit, now=now)
    await charge(session, receipt, due_at=now, now=now)


async def _find_deposit(session: AsyncSession, trip_id: UUID | None) -> tables.Payment | None:
    if trip_id is None:
        return None
    held = select(_rows).where(_rows.trip_id == trip_id, _rows.purpose == PaymentPurpose.DEPOSIT, _rows.state.in_(OPEN))
    found: tables.Payment | None = (await session.execute(held.with_for_update())).scalar_one_or_none()
    return found


async def let_payment_go(session: AsyncSession, payment: tables.Payment, *, now: datetime) -> None:
    """Of a locked row: what was never asked for is simply over, the rest is cancelled at the gateway."""
    if payment.asks is PaymentAsk.CANCEL:
        return
    if payment.state is PaymentState.PENDING and payment.attempts == 0:
        payment.state = PaymentState.CANCELLED
        payment.asks = payment.next_attempt_at = None
        payment.updated_at = now
        await session.flush()
    else:
        payment.captured_minor = 0
        await ask(session, payment, PaymentAsk.CANCEL, now=now)


async def ask(session: AsyncSession, payment: tables.Payment, what: PaymentAsk, *, now: datetime) -> None:
    payment.asks, payment.attempts, payment.next_attempt_at, payment.updated_at = what, 0, now, now
    await session.flush()
    await defer_ask(session, payment.id)


async def charge(
    session: AsyncSession, receipt: tables.Receipt, *, due_at: datetime, method_id: UUID | None = None, now: datetime
) -> None:
    """A new try at what is due, unless one is open. With the default card, if none is named."""
    due = receipt.total_minor - receipt.settled_minor
    if due <= 0 or await find_open(session, receipt.id) is not None:
        return
    if due < smallest(receipt.currency):
        await settlements.settle_from(session, receipt, LedgerAccount.LOSSES, due, what="forgiven", now=now)
        return
    payment = tables.Payment(
        customer_id=receipt.customer_id,
        method_id=method_id or await payment_methods.find_default(session, receipt.customer_id),
        purpose=PaymentPurpose.RECEIPT,
        receipt_id=receipt.id,
        state=PaymentState.PENDING,
        currency=receipt.currency,
        amount_minor=due,
        asks=PaymentAsk.CHARGE,
        next_attempt_at=due_at,
        created_at=now,
        updated_at=now,
    )
    session.add(payment)
    await session.flush()
    if due_at <= now:
        await defer_ask(session, payment.id)


def smallest(currency: str) -> int:
    return SMALLEST.get(currency, SMALLEST_ELSEWHERE)


async def find_open(session: AsyncSession, receipt_id: UUID) -> tables.Payment | None:
    """Locked."""
    found = select(_rows).where(_rows.receipt_id == receipt_id, _rows.state.in_(OPEN)).with_for_update()
    return (await session.execute(found)).scalar_one_or_none()


async def ask_for_less(session: AsyncSession, receipt: tables.Receipt, *, now: datetime) -> None:
    """Once more of a receipt is settled otherwise. Only of what was not asked for yet: what is being asked for comes in full,
    and its surplus goes back."""
    waiting = await find_open(session, receipt.id)
    if waiting is None or waiting.attempts > 0:
        return
    due = receipt.total_minor - receipt.settled_minor
    if due < smallest(receipt.currency):
        if waiting.asks is PaymentAsk.CAPTURE:
            waiting.receipt_id = None
        await let_payment_go(session, waiting, now=now)
        await charge(session, receipt, due_at=now, now=now)
    elif waiting.asks is PaymentAsk.CAPTURE:
        waiting.captured_minor = min(due, waiting.captured_minor)
    elif waiting.asks is PaymentAsk.CHARGE:
        waiting.amount_minor = due
    await session.flush()


async def pay_receipt(
    session: AsyncSession, who: Actor, *, receipt_id: UUID, method_id: UUID | None = None, now: datetime
) -> None:
    """Now, with credit first, then with that card or the default one; what was to be tried later is tried now. Of what is
    settled or being asked, nothing. Raises NotFound, PaymentMethodRequired."""
    rows = tables.Receipt
    own = select(rows.id).where(
        rows.id == receipt_id, rows.customer_id == who.account_id, rows.source != tables.ReceiptSource.CREDIT_NOTE
    )
    if (await session.execute(own)).scalar_one_or_none() is None:
        raise errors.NotFound(path="receiptId")
    receipt = await receipts.lock_receipt(session, receipt_id)
    waiting = await find_open(session, receipt.id)
    # Credit may have been redeemed since the receipt was issued.
    if (waiting is None or waiting.attempts == 0) and await promotions.use_credit(session, receipt, now):
        await ask_for_less(session, receipt, now=now)
        waiting = await find_open(session, receipt.id)
    if receipt.settled_minor >= receipt.total_minor:
        return
    if method_id is not None:
        await payment_methods.get_payment_method(session, who, method_id)
    else:
        method_id = await payment_methods.find_default(session, who.account_id)
    if method_id is None:
        raise errors.PaymentMethodRequired
    if waiting is None:
        await charge(session, receipt, due_at=now, method_id=method_id, now=now)
    elif waiting.asks is PaymentAsk.CHARGE and waiting.attempts == 0:
        waiting.method_id = method_id
        await ask(session, waiting, PaymentAsk.CHARGE, now=now)


async def find_payments(session: AsyncSession, who: Actor, receipt_ids: Collection[UUID]) -> dict[UUID, list[Payment]]:
    """By receipt, the first first. Of what they may not see there are none."""
    charged = tables.Receipt
    statement = select(charged.id, _rows).join(charged, _rows.receipt_id == charged.id).where(charged.id.in_(receipt_ids))
    if who.audience is Audience.CUSTOMER:
        statement = statement.where(charged.customer_id == who.account_id)
    elif who.metro_ids is not None:
        statement = statement.where(charged.metro_id.in_(who.metro_ids))
    found: dict[UUID, list[Payment]] = {}
    for receipt_id, row in await session.execute(statement.order_by(_rows.id)):
        found.setdefault(receipt_id, []).append(_read(row))
    return found


def _read(row: tables.Payment) -> Payment:
    is_taken = row.state is PaymentState.SUCCEEDED
    return Payment(
        id=row.id,
        purpose=row.purpose,
        state=row.state,
        amount_minor=row.amount_minor,
        captured_minor=row.captured_minor if is_taken else 0,
        refunded_minor=row.refunded_minor,
        currency=row.currency,
        failure=row.failure,
        next_attempt_at=row.next_attempt_at if row.attempts == 0 else None,
        created_at=row.created_at,
    )


async def count_failed(session: AsyncSession, receipt_id: UUID) -> int:
    failed = select(func.count()).where(_rows.receipt_id == receipt_id, _rows.state == PaymentState.FAILED)
    return int((await session.execute(failed)).scalar_one())
