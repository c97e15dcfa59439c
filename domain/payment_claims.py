"""Payment claims: which process asks the gateway next, and when it is asked again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import tables
from domain.ports import IntentOrder
from domain.tables import PaymentAsk, PaymentPurpose

#: longer than any ask may take
LEASE = timedelta(minutes=2)
#: first and longest pause after an ask without an answer; each is twice the one before, and up to half as long again
PAUSES = (timedelta(seconds=10), timedelta(minutes=30))

_rows = tables.Payment


@dataclass(frozen=True, slots=True)
class Claim:
    """An ask that is ours until the lease is over."""

    payment_id: UUID
    ask: PaymentAsk
    attempt: int
    #: None: there is no card to ask for it
    order: IntentOrder | None
    gateway_ref: str | None
    capture_minor: int
    created_at: datetime

    @property
    def try_key(self) -> str:
        """Of an ask that can be done once alone by what it is, as taking or letting go what is held: a refusal that the gateway
        repeats for a key, when the bank had not decided yet, would stand in the way of the next try."""
        return f"payment:{self.payment_id}:{self.ask}:{self.attempt}"

    @property
    def start_key(self) -> str:
        """Of the ask that made the intent."""
        ask = PaymentAsk.AUTHORIZE if self.order is not None and self.order.holds else PaymentAsk.CHARGE
        return f"payment:{self.payment_id}:{ask}"


async def claim_payments(session: AsyncSession, *, now: datetime, limit: int, only: UUID | None = None) -> list[Claim]:
    """Those that are due, the oldest first; each is one claimant's."""
    due = select(_rows.id).where(_rows.asks.is_not(None), _rows.next_attempt_at <= now)
    if only is not None:
        due = due.where(_rows.id == only)
    free = due.order_by(_rows.next_attempt_at).limit(limit).with_for_update(skip_locked=True)
    taking = update(_rows).where(_rows.id.in_(free)).values(attempts=_rows.attempts + 1, next_attempt_at=now + LEASE)
    taken = list((await session.execute(taking.returning(_rows.id))).scalars())
    if not taken:
        return []
    methods, customers = tables.PaymentMethod, tables.Customer
    found = await session.execute(
        select(_rows, methods.gateway_ref, methods.removed_at, customers.gateway_ref)
        .join(customers, _rows.customer_id == customers.id)
        .outerjoin(methods, _rows.method_id == methods.id)
        .where(_rows.id.in_(taken))
        .order_by(_rows.id)
        .execution_options(populate_existing=True)
    )
    return [_claim(row, None if removed and _is_first_ask(row) else card, ref) for row, card, removed, ref in found]


def _is_first_ask(row: tables.Payment) -> bool:
    """Nothing was asked of the card yet: what is to be cancelled was."""
    return row.attempts == 1 and row.asks is not PaymentAsk.CANCEL


def _claim(row: tables.Payment, card_ref: str | None, customer_ref: str | None) -> Claim:
    order = None
    if card_ref is not None and customer_ref is not None:
        holds = row.purpose is PaymentPurpose.DEPOSIT
        order = IntentOrder(row.id, customer_ref, card_ref, row.amount_minor, row.currency, holds=holds)
    if row.asks is None:
        raise RuntimeError("what is claimed asks for something")
    return Claim(row.id, row.asks, row.attempts, order, row.gateway_ref, row.captured_minor, row.created_at)


async def record_silence(session: AsyncSession, claim: Claim, *, now: datetime) -> None:
    """Nobody knows: asked again after a pause, with the same key. What a newer claim has taken over stays as it is."""
    own = update(_rows).where(_rows.id == claim.payment_id, _rows.attempts == claim.attempt, _rows.asks == claim.ask)
    await session.execute(own.values(next_attempt_at=now + pause_after(claim.attempt, claim.payment_id)))


def pause_after(attempt: int, id: UUID) -> timedelta:
    """Longer each time, and not the same for all that failed together: by the id, so that it needs no dice."""
    first, longest = PAUSES
    share = hashlib.sha256(id.bytes + bytes([attempt % 256])).digest()[0] / 255
    doubled: int = 2 ** min(attempt - 1, 20)
    return min(first * doubled, longest) * (1 + share / 2)
