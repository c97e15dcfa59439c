"""Payment methods: the cards of riders as the payment gateway knows them, and what it is still to forget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, ports, tables
from domain.actor import Actor

#: of a rider, that may be charged
MOST = 10
#: between tries to make it forget; longer than one takes
PAUSE = timedelta(minutes=10)

_rows = tables.PaymentMethod


@dataclass(frozen=True, slots=True)
class PaymentMethod:
    id: UUID
    customer_id: UUID
    brand: str
    last4: str
    expires_month: int
    expires_year: int
    is_default: bool
    created_at: datetime


def _read(row: tables.PaymentMethod) -> PaymentMethod:
    return PaymentMethod(
        row.id,
        row.customer_id,
        row.brand,
        row.last4,
        row.expires_month,
        row.expires_year,
        row.is_default,
        row.created_at,
    )


async def list_payment_methods(session: AsyncSession, who: Actor) -> list[PaymentMethod]:
    """The default first, then the latest."""
    own = select(_rows).where(_rows.customer_id == who.account_id, _rows.removed_at.is_(None))
    found = await session.execute(own.order_by(_rows.is_default.desc(), _rows.id.desc()))
    return [_read(row) for row in found.scalars()]


async def get_payment_method(session: AsyncSession, who: Actor, method_id: UUID) -> PaymentMethod:
    """Raises NotFound: also what was removed."""
    own = select(_rows).where(_rows.id == method_id, _rows.customer_id == who.account_id, _rows.removed_at.is_(None))
    row = (await session.execute(own)).scalar_one_or_none()
    if row is None:
        raise errors.NotFound(path="paymentMethodId")
    return _read(row)


async def find_default(session: AsyncSession, customer_id: UUID) -> UUID | None:
    own = select(_rows.id).where(_rows.customer_id == customer_id, _rows.is_default)
    return (await session.execute(own)).scalar_one_or_none()


async def find_gateway_ref(session: AsyncSession, customer_id: UUID) -> str | None:
    """By which the gateway knows a rider. Raises NotFound: erased."""
    customers = tables.Customer
    found = select(customers.gateway_ref).where(customers.id == customer_id, customers.erased_at.is_(None))
    row = (await session.execute(found)).one_or_none()
    if row is None:
        raise errors.NotFound
    ref: str | None = row.gateway_ref
    return ref


async def must_have_room(session: AsyncSession, customer_id: UUID) -> None:
    """Raises InvalidInput: too many cards."""
    own = select(_rows.id).where(_rows.customer_id == customer_id, _rows.removed_at.is_(None))
    if len((await session.execute(own.limit(MOST))).scalars().all()) >= MOST:
        raise errors.InvalidInput.of("gatewayToken", f"You have {MOST} cards already. Remove one first.")


async def add_payment_method(
    session: AsyncSession, who: Actor, *, customer_ref: str, card: ports.Card, method_id: UUID, now: datetime
) -> UUID:
    """Keeps what the gateway said; a card that is there already stays the one it was. The newest is the default: it is what
    the rider means to pay with. Raises NotFound (erased), InvalidInput."""
    await _lock_customer(session, who.account_id, customer_ref)
    known = (await session.execute(select(_rows).where(_rows.gateway_ref == card.gateway_ref))).scalar_one_or_none()
    if known is None:
        await must_have_room(session, who.account_id)
        known = tables.PaymentMethod(
            id=method_id,
            customer_id=who.account_id,
            gateway_ref=card.gateway_ref,
            brand=card.brand,
            last4=card.last4,
            expires_month=card.expires_month,
            expires_year=card.expires_year,
            is_default=False,
            created_at=now,
        )
        session.add(known)
        await session.flush()
        # It may have been to be forgotten, when there was no room for it.
        await record_forgotten(session, card.gateway_ref)
    elif known.customer_id != who.account_id or known.removed_at is not None:
        raise errors.InvalidInput.of("gatewayToken", "This token was used before. Let the form make a new one.")
    await _prefer(session, who.account_id, known.id)
    return known.id


async def keep_customer(session: AsyncSession, customer_id: UUID, customer_ref: str) -> str:
    """By which the gateway knows them from now on, if it did not yet. Raises NotFound (erased)."""
    return await _lock_customer(session, customer_id, customer_ref) or customer_ref


async def _lock_customer(session: AsyncSession, customer_id: UUID, customer_ref: str | None = None) -> str | None:
    """Acts on the cards of a rider take turns. By which the gateway knows them."""
    customers = tables.Customer
    own = select(customers).where(customers.id == customer_id, customers.erased_at.is_(None))
    customer = (await session.execute(own.with_for_update(key_share=True))).scalar_one_or_none()
    if customer is None:
        raise errors.NotFound
    if customer_ref is not None and customer.gateway_ref is None:
        customer.gateway_ref = customer_ref
        await session.flush()
    ref: str | None = customer.gateway_ref
    return ref


async def _prefer(session: AsyncSession, customer_id: UUID, method_id: UUID) -> None:
    """Also for what is to be charged later, and was not asked for yet."""
    await session.execute(
        update(_rows).where(_rows.customer_id == customer_id, _rows.is_default, _rows.id != method_id).values(is_default=False)
    )
    await session.execute(update(_rows).where(_rows.id == method_id).values(is_default=True))
    payments = tables.Payment
    waiting = update(payments).where(
        payments.customer_id == customer_id,
        payments.asks == tables.PaymentAsk.CHARGE,
        payments.attempts == 0,
    )
    await session.execute(waiting.values(method_id=method_id))


async def set_default_payment_method(session: AsyncSession, who: Actor, *, method_id: UUID, now: datetime) -> None:
    """Raises NotFound."""
    del now
    await _lock_customer(session, who.account_id)
    await get_payment_method(session, who, method_id)
    await _prefer(session, who.account_id, method_id)


async def remove_payment_method(session: AsyncSession, who: Actor, *, method_id: UUID, now: datetime) -> None:
    """The newest of the others becomes the default. The gateway forgets the card once nothing is under way with it.
    Raises NotFound."""
    await _lock_customer(session, who.account_id)
    await get_payment_method(session, who, method_id)
    removed = update(_rows).where(_rows.id == method_id).values(is_default=False, removed_at=now).returning(_rows.gateway_ref)
    ref = (await session.execute(removed)).scalar_one()
    others = select(_rows.id).where(_rows.customer_id == who.account_id, _rows.removed_at.is_(None))
    if await find_default(session, who.account_id) is None:
        newest = (await session.execute(others.order_by(_rows.id.desc()).limit(1))).scalar_one_or_none()
        if newest is not None:
            await _prefer(session, who.account_id, newest)
    await forget_at_gateway(session, tables.RemovalKind.CARD, [ref], now=now)


async def forget_at_gateway(session: AsyncSession, kind: tables.RemovalKind, refs: Sequence[str], *, now: datetime) -> None:
    """Once what is written here is committed, and until it is done."""
    rows = [{"gateway_ref": ref, "kind": kind, "attempts": 0, "next_attempt_at": now} for ref in refs]
    if rows:
        await session.execute(insert(tables.GatewayRemoval).values(rows).on_conflict_do_nothing())


async def forget_customer(session: AsyncSession, customer_id: UUID, *, now: datetime) -> None:
    """Before the account is erased: its cards are forgotten with it."""
    customers = tables.Customer
    found = select(customers.gateway_ref).where(customers.id == customer_id, customers.gateway_ref.is_not(None))
    refs = (await session.execute(found)).scalars().all()
    await forget_at_gateway(session, tables.RemovalKind.CUSTOMER, [ref for ref in refs if ref], now=now)


async def forget_unkept(session: AsyncSession, who: Actor, *, customer_ref: str, card: ports.Card, now: datetime) -> None:
    """A card that the gateway knows and we do not; with all of the rider, if the account has gone meanwhile."""
    customers = tables.Customer
    there = select(customers.id).where(customers.id == who.account_id, customers.erased_at.is_(None))
    if (await session.execute(there)).first() is None:
        await forget_at_gateway(session, tables.RemovalKind.CUSTOMER, [customer_ref], now=now)
    elif (await session.execute(select(_rows.id).where(_rows.gateway_ref == card.gateway_ref))).first() is None:
        await forget_at_gateway(session, tables.RemovalKind.CARD, [card.gateway_ref], now=now)


async def claim_removals(session: AsyncSession, *, now: datetime, limit: int) -> list[tuple[tables.RemovalKind, str]]:
    """What the gateway is to forget now; not a card that is being charged."""
    rows, payments = tables.GatewayRemoval, tables.Payment
    charged = (
        select(payments.id)
        .join(_rows, payments.method_id == _rows.id)
        .where(_rows.gateway_ref == rows.gateway_ref, payments.asks.is_not(None))
        .exists()
    )
    due = select(rows.gateway_ref).where(rows.next_attempt_at <= now, ~charged)
    free = due.order_by(rows.next_attempt_at).limit(limit).with_for_update(skip_locked=True)
    taking = update(rows).where(rows.gateway_ref.in_(free)).values(attempts=rows.attempts + 1, next_attempt_at=now + PAUSE)
    found = await session.execute(taking.returning(rows.kind, rows.gateway_ref))
    return [(row.kind, row.gateway_ref) for row in found]


async def record_forgotten(session: AsyncSession, gateway_ref: str) -> None:
    await session.execute(delete(tables.GatewayRemoval).where(tables.GatewayRemoval.gateway_ref == gateway_ref))
