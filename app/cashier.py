"""The cashier: asks the payment gateway for what is due, and records what it said.

Asking takes no transaction. A gateway that does not answer is asked again with the same key, after a pause: whatever it did
the first time, it does once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from domain import deposits, errors, payment_answers, payment_claims, payment_methods, ports, refunds, tables
from domain.ports import Intent, IntentState
from domain.tables import PaymentAsk

logger = logging.getLogger(__name__)

#: asks that are under way at a time, in one process
CONCURRENT = 8
#: how often it looks although no bell rang
POLL_SECONDS = 2.0
#: however long the gateway takes: shorter than a lease
PATIENCE_SECONDS = 30.0
#: pauses before an answer is recorded again; a database that is away for longer makes the gateway be asked again
RECORD_PAUSES = (0.5, 1.0, 2.0, 4.0)
#: from this attempt on the payment is looked for before it is asked for: a key may be answered with the same failure for ever
LOOKS_FROM = 3
#: no key is trusted for longer than gateways keep them
KEYS_KEPT = timedelta(hours=20)
T = TypeVar("T")


class Decide(Protocol):
    """`trips.deposit_decided`."""

    def __call__(self, session: AsyncSession, trip_id: UUID, is_authorized: bool, now: datetime) -> Awaitable[object]: ...


class Cashier:
    def __init__(self, sessions: SessionFactory, clock: ports.Clock, gateway: ports.PaymentGateway, decide: Decide) -> None:
        self._sessions = sessions
        self._clock = clock
        self._gateway = gateway
        self._decide = decide
        self._bell = asyncio.Event()

    async def run(self) -> None:
        """Asks for what is due, until cancelled."""
        while True:
            self._bell.clear()
            if await self.ask_due():
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._bell.wait()

    def ring(self) -> None:
        self._bell.set()

    async def ask_due(self) -> int:
        """One round; how much was asked."""
        now = self._clock.now()
        async with self._sessions.begin() as session:
            claims = await payment_claims.claim_payments(session, now=now, limit=CONCURRENT)
            back = await refunds.claim_refunds(session, now=now, limit=CONCURRENT)
            removals = await payment_methods.claim_removals(session, now=now, limit=CONCURRENT)
        asked = [
            *(self._settle(claim) for claim in claims),
            *(self._give_back(claim) for claim in back),
            *(self._forget(kind, ref) for kind, ref in removals),
        ]
        await asyncio.gather(*asked)
        return len(asked)

    async def sweep_deposits(self) -> None:
        count = deposits.BATCH
        while count == deposits.BATCH:
            async with self._sessions.begin() as session:
                count = await deposits.sweep_deposits(session, now=self._clock.now())

    async def _settle(self, claim: payment_claims.Claim) -> None:
        intent = await self._heard(self._ask(claim), f"{claim.ask} of a payment", claim.payment_id, claim.attempt)

        async def record(session: AsyncSession) -> None:
            now = self._clock.now()
            if intent is None:
                await payment_claims.record_silence(session, claim, now=now)
                return
            outcome = await payment_answers.record_intent(session, claim.payment_id, intent, now)
            if outcome is not None:
                await self._decide(session, outcome.trip_id, outcome.is_authorized, now)

        await self._record(record, claim.payment_id)

    async def _ask(self, claim: payment_claims.Claim) -> Intent:
        if claim.ask is PaymentAsk.CAPTURE and claim.gateway_ref is not None:
            return await self._gateway.capture(claim.gateway_ref, claim.capture_minor, key=claim.try_key)
        if claim.ask is PaymentAsk.CANCEL:
            return await self._cancel(claim)
        if claim.gateway_ref is not None:
            return await self._gateway.look_up(claim.gateway_ref)
        return await self._pay(claim)

    async def _cancel(self, claim: payment_claims.Claim) -> Intent:
        """Also of what was asked for without an answer: it may be held all the same."""
        ref = claim.gateway_ref
        if ref is None:
            started = await self._pay(claim)
            if started.state in (IntentState.DECLINED, IntentState.CANCELLED):
                return started
            ref = started.gateway_ref
        return await self._gateway.cancel(ref, key=claim.try_key)

    async def _pay(self, claim: payment_claims.Claim) -> Intent:
        if claim.order is None:
            return Intent("", IntentState.DECLINED, failure=payment_answers.NO_CARD)
        if self._must_look(claim.attempt, claim.created_at):
            found = await self._gateway.find(claim.order)
            if found is not None:
                return found
        return await self._gateway.pay(claim.order, key=claim.start_key)

    async def _give_back(self, claim: refunds.Claim) -> None:
        ref, failure = None, None
        try:
            ref = await self._heard(self._refund(claim), "a refund", claim.refund_id, claim.attempt)
        except errors.PaymentMethodDeclined as refusal:
            failure = refusal.message

        async def record(session: AsyncSession) -> None:
            now = self._clock.now()
            if failure is not None:
                await refunds.record_failed(session, claim.refund_id, failure=failure, now=now)
            elif ref is not None:
                await refunds.record_refunded(session, claim.refund_id, gateway_ref=ref, now=now)
            else:
                await refunds.record_silence(session, claim, now=now)

        await self._record(record, claim.refund_id)

    async def _refund(self, claim: refunds.Claim) -> str:
        if self._must_look(claim.attempt, claim.created_at):
            found = await self._gateway.find_refund(claim.payment_ref, key=claim.key)
            if found is not None:
                return found
        return await self._gateway.refund(claim.payment_ref, claim.amount_minor, key=claim.key)

    def _must_look(self, attempt: int, since: datetime) -> bool:
        return attempt >= LOOKS_FROM or self._clock.now() - since > KEYS_KEPT

    async def _forget(self, kind: tables.RemovalKind, ref: str) -> None:
        is_card = kind is tables.RemovalKind.CARD

        async def forget() -> bool:
            await (self._gateway.remove_card(ref) if is_card else self._gateway.forget_customer(ref))
            return True

        if await self._heard(forget(), f"forgetting a {kind}", None, 0):
            async with self._sessions.begin() as session:
                await payment_methods.record_forgotten(session, ref)

    async def _heard(self, asked: Awaitable[T], what: str, id: UUID | None, attempt: int) -> T | None:
        """None: nobody knows."""
        told: dict[str, object] = {"what": what, "id": str(id), "attempt": attempt}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await asked
        except errors.PaymentMethodDeclined:
            raise
        except (errors.OutOfReach, TimeoutError) as error:
            logger.warning("the payment gateway does not answer", extra={**told, "error": repr(error)})
        except Exception as error:  # whatever a library throws: the others go on, this one is asked again
            logger.exception("asking the payment gateway failed", extra={**told, "error": repr(error)})
        return None

    async def _record(self, write: Callable[[AsyncSession], Awaitable[None]], id: UUID) -> None:
        for pause in (*RECORD_PAUSES, None):
            try:
                async with self._sessions.begin() as session:
                    await write(session)
                return
            except (SQLAlchemyError, OSError) as error:
                if pause is None:
                    logger.warning("an answer of the gateway could not be recorded", extra={"id": str(id), "error": repr(error)})
                    return
                await asyncio.sleep(pause)
