"""Refunds, promotions and disputes, as staff handle them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from resolvers import payments
from schema import access, errors
from schema.connections import After, Connection, First, connection
from schema.customer.reservations import KEY
from schema.types.money import MoneyInput
from schema.types.payments import Dispute, DisputeState, Promotion
from schema.types.receipts import LineKind, OpsReceipt


@strawberry.input(description="What to give back: some lines, an amount, or all that was not given back yet.")
class RefundReceiptInput:
    receipt_id: strawberry.ID = field(description="The receipt.")
    idempotency_key: str = field(description=KEY)
    lines: list[LineKind] | None = field(default=None, description="Lines of these kinds; leave it out with `amount`.")
    amount: MoneyInput | None = field(default=None, description="So much of it; leave it out with `lines`.")


@strawberry.type(description="A credit note was issued. It covers what is owed first; the rest goes back to the card.")
class RefundReceiptSuccess:
    credit_note: OpsReceipt = field(description="The credit note.")


RefundReceiptResult = Annotated[
    RefundReceiptSuccess | errors.InvalidInputError | errors.NotFoundError | errors.IdempotencyConflictError,
    strawberry.union("RefundReceiptResult", description="What refunding can answer."),
]


@strawberry.input(description="A code, and what it is good for.")
class CreatePromotionInput:
    code: str = field(description="4 to 20 letters and digits.")
    metro_id: strawberry.ID = field(description="The metro that it is for: its currency, and whose staff may see it.")
    amount: MoneyInput = field(description="What each rider gets.")
    valid_until: datetime = field(description="From then on nobody redeems it.")
    max_redemptions: int = field(description="How many riders may.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The code may be redeemed.")
class CreatePromotionSuccess:
    promotion: Promotion = field(description="The code.")


CreatePromotionResult = Annotated[
    CreatePromotionSuccess | errors.InvalidInputError | errors.NotFoundError | errors.IdempotencyConflictError,
    strawberry.union("CreatePromotionResult", description="What making a code can answer."),
]


@strawberry.type
class OpsPaymentQueries:
    @access.query(access.DISPATCHERS, "Payments that banks take back, the latest first.")
    async def disputes(
        self,
        info: strawberry.Info,
        state: Annotated[DisputeState | None, strawberry.argument(description="Only those that stand there.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[Dispute]:
        return connection(await payments.list_disputes(info.context, state=state, first=first, after=after), Dispute.of)


@strawberry.type
class OpsPaymentMutations:
    @access.mutation(access.DISPATCHERS, "Give back what a rider was charged, with a credit note.")
    async def refund_receipt(
        self, info: strawberry.Info, input: Annotated[RefundReceiptInput, access.INPUT]
    ) -> RefundReceiptResult | None:
        row = await payments.refund_receipt(
            info.context,
            receipt_id=input.receipt_id,
            kinds=input.lines,
            amount=input.amount.value() if input.amount else None,
            idempotency_key=input.idempotency_key,
        )
        return RefundReceiptSuccess(credit_note=OpsReceipt.of(row))

    @access.mutation(access.DISPATCHERS, "Make a code that riders redeem for credit.")
    async def create_promotion(
        self, info: strawberry.Info, input: Annotated[CreatePromotionInput, access.INPUT]
    ) -> CreatePromotionResult | None:
        row = await payments.create_promotion(
            info.context,
            code=input.code,
            metro_id=input.metro_id,
            amount=input.amount.value(),
            valid_until=input.valid_until,
            max_redemptions=input.max_redemptions,
            idempotency_key=input.idempotency_key,
        )
        return CreatePromotionSuccess(promotion=Promotion.of(row))
