"""What riders owe and what the gateway says of it, word by word, with no cashier between."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import select

from domain import payment_answers, payment_claims, promotions, refunds, tables
from domain.actor import Actor
from domain.ports import Intent, IntentState
from domain.tables import ChargeCategory, LineKind, VatTreatment
from domain.values import Money
from tests.app import till


@dataclass
class Till(till.Till):
    staff: Actor = field(kw_only=True)

    async def claim(self) -> payment_claims.Claim:
        """The one ask that is due."""
        async with self.sessions.begin() as session:
            (claim,) = await payment_claims.claim_payments(session, now=self.clock.now(), limit=8)
        return claim

    async def is_due(self) -> bool:
        async with self.sessions.begin() as session:
            return bool(await payment_claims.claim_payments(session, now=self.clock.now(), limit=8))

    async def hear(self, payment_id: UUID, state: IntentState, taken: int = 0) -> payment_answers.Outcome | None:
        async with self.sessions.begin() as session:
            word = Intent(f"pi_{payment_id.hex}", state, taken, "card_declined" if state is IntentState.DECLINED else None)
            return await payment_answers.record_intent(session, payment_id, word, self.clock.now())

    async def charged(self, state: IntentState = IntentState.SUCCEEDED) -> UUID:
        """What is due is asked for, and that is the answer."""
        claim = await self.claim()
        await self.hear(claim.payment_id, state, claim.capture_minor if state is IntentState.SUCCEEDED else 0)
        return claim.payment_id

    async def owe_line(self, total_minor: int = 1200) -> UUID:
        """A receipt with a line, so that it can be given back."""
        receipt_id = await self.owe(total_minor)
        async with self.sessions.begin() as session:
            session.add(
                tables.ReceiptLine(
                    receipt_id=receipt_id,
                    position=1,
                    kind=LineKind.RIDING,
                    category=ChargeCategory.FARE,
                    quantity=1,
                    unit_minor=total_minor,
                    amount_minor=total_minor,
                    vat_treatment=VatTreatment.STANDARD,
                    vat_percent=19,
                )
            )
        return receipt_id

    async def give_back(self, receipt_id: UUID, amount: int | None = None) -> UUID:
        """By staff."""
        async with self.sessions.begin() as session:
            money = None if amount is None else Money(amount, "EUR")
            return await refunds.refund_receipt(
                session, self.staff, receipt_id=receipt_id, kinds=None, amount=money, now=self.clock.now()
            )

    async def given_back(self) -> list[tables.Refund]:
        async with self.sessions.begin() as session:
            for claim in await refunds.claim_refunds(session, now=self.clock.now(), limit=8):
                await refunds.record_refunded(session, claim.refund_id, gateway_ref=claim.key, now=self.clock.now())
        return await self.refund_rows()

    async def refund_rows(self) -> list[tables.Refund]:
        async with self.sessions() as session:
            return list((await session.execute(select(tables.Refund).order_by(tables.Refund.id))).scalars())

    async def credit(self) -> int:
        async with self.sessions() as session:
            return await promotions.credit_of(session, self.rider.account_id, "EUR")
