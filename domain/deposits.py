"""Deposits: money held before a car or van is unlocked, taken for its receipt or let go."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, payment_methods, payments, tables
from domain.tables import PaymentAsk, PaymentPurpose, PaymentState
from domain.values import Money

#: banks hold it no longer
HELD = timedelta(days=7)
BATCH = 100

_rows = tables.Payment


async def authorize_deposit(session: AsyncSession, *, trip_id: UUID, customer_id: UUID, amount: Money, now: datetime) -> None:
    """Asked of the gateway after the commit; `payment_answers.record_intent` tells what came of it. Raises
    PaymentMethodRequired."""
    method_id = await payment_methods.find_default(session, customer_id)
    if method_id is None:
        raise errors.PaymentMethodRequired
    payment = tables.Payment(
        customer_id=customer_id,
        method_id=method_id,
        purpose=PaymentPurpose.DEPOSIT,
        trip_id=trip_id,
        state=PaymentState.PENDING,
        currency=amount.currency,
        amount_minor=amount.minor_units,
        asks=PaymentAsk.AUTHORIZE,
        next_attempt_at=now,
        created_at=now,
        updated_at=now,
    )
    session.add(payment)
    await session.flush()
    await payments.defer_ask(session, payment.id)


async def let_go(session: AsyncSession, trip_id: UUID, now: datetime) -> None:
    """Of a trip that was locked; nothing when none is held, or it is being taken."""
    held = select(_rows).where(_rows.trip_id == trip_id, _rows.purpose == PaymentPurpose.DEPOSIT)
    open_ = held.where(_rows.state.in_(payments.OPEN), _rows.receipt_id.is_(None)).with_for_update()
    payment = (await session.execute(open_)).scalar_one_or_none()
    if payment is not None:
        await payments.let_payment_go(session, payment, now=now)


async def sweep_deposits(session: AsyncSession, *, now: datetime) -> int:
    """Lets go what is held too long, or for a trip that never began; how many."""
    trips = tables.Trip
    stale = (
        select(_rows)
        .join(trips, _rows.trip_id == trips.id)
        .where(
            _rows.purpose == PaymentPurpose.DEPOSIT,
            _rows.state == PaymentState.AUTHORIZED,
            _rows.asks.is_(None),
            or_(_rows.created_at <= now - HELD, trips.state == tables.TripState.CANCELLED),
        )
        .order_by(_rows.id)
        .limit(BATCH)
        .with_for_update(of=_rows, skip_locked=True)
    )
    found = (await session.execute(stale)).scalars().all()
    for payment in found:
        await payments.let_payment_go(session, payment, now=now)
    return len(found)
