"""Payments: cards, tries to collect a receipt, promotions and disputes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import strawberry
from strawberry import field

from domain import disputes, ids, payment_methods, payments, promotions, values
from resolvers import payments as payment_resolvers
from schema import fields, trip_enums
from schema.nodes import Node
from schema.types.money import Money

PaymentState = trip_enums.PaymentState
DisputeState = trip_enums.DisputeState
PAYMENTS = "Tries to collect it, the first first; 20 at most."


@strawberry.type(description="A card, as the payment gateway knows it. Its number is never here.")
class PaymentMethod(Node):
    brand: str = field(description="Such as `visa`.")
    last_digits: str = field(description="The last four digits.")
    expires_month: int = field(description="1 to 12.")
    expires_year: int = field(description="With the century.")
    is_default: bool = field(description="What is owed is charged to this one.")

    @classmethod
    def of(cls, row: payment_methods.PaymentMethod) -> PaymentMethod:
        return cls(
            id=strawberry.ID(ids.encode(ids.PAYMENT_METHOD, row.id)),
            brand=row.brand,
            last_digits=row.last4,
            expires_month=row.expires_month,
            expires_year=row.expires_year,
            is_default=row.is_default,
        )


@strawberry.type(description="A try to collect a receipt.")
class Payment:
    state: PaymentState = field(description="Where it stands.")
    amount: Money = field(description="Asked for.")
    captured: Money = field(description="Taken.")
    refunded: Money = field(description="Of that, given back.")
    failure: str | None = field(description="The bank's word for a refusal, such as `insufficient_funds`; null without one.")
    tried_at: datetime | None = field(description="When it will be tried, if that lies ahead; else null.")
    created_at: datetime = field(description="When it was called for.")

    @classmethod
    def of(cls, row: payments.Payment) -> Payment:
        return cls(
            state=row.state,
            amount=Money.of(values.Money(row.amount_minor, row.currency)),
            captured=Money.of(values.Money(row.captured_minor, row.currency)),
            refunded=Money.of(values.Money(row.refunded_minor, row.currency)),
            failure=row.failure,
            tried_at=row.next_attempt_at,
            created_at=row.created_at,
        )


async def payments_of(info: strawberry.Info, receipt_id: UUID) -> list[Payment]:
    return [Payment.of(row) for row in (await info.context.payments.load(receipt_id))[:20]]


@strawberry.type(description="A code that riders redeem for credit.")
class Promotion:
    code: str = field(description="Capital letters and digits.")
    amount: Money = field(description="What each rider gets, once.")
    valid_until: datetime = field(description="From then on nobody redeems it.")
    max_redemptions: int = field(description="How many riders may.")
    redemptions: int = field(description="How many have.")

    @classmethod
    def of(cls, row: promotions.Promotion) -> Promotion:
        return cls(
            code=row.code,
            amount=Money.of(row.amount),
            valid_until=row.valid_until,
            max_redemptions=row.max_redemptions,
            redemptions=row.redemptions,
        )


@strawberry.type(description="A payment that a rider's bank takes back, until it is decided.")
class Dispute:
    receipt_id: strawberry.ID | None = field(description="What was paid for.")
    customer_id: strawberry.ID = field(description="By whom.")
    amount: Money = field(description="What the bank holds back.")
    reason: str = field(description="The bank's word, such as `fraudulent`.")
    state: DisputeState = field(description="Where it stands.")
    opened_at: datetime = field(description="When we heard of it.")
    closed_at: datetime | None = field(description="When it was decided; null while it is not.")

    @classmethod
    def of(cls, row: disputes.Dispute) -> Dispute:
        return cls(
            receipt_id=None if row.receipt_id is None else strawberry.ID(ids.encode(ids.OPS_RECEIPT, row.receipt_id)),
            customer_id=strawberry.ID(ids.encode(ids.CUSTOMER, row.customer_id)),
            amount=Money.of(values.Money(row.amount_minor, row.currency)),
            reason=row.reason,
            state=row.state,
            opened_at=row.opened_at,
            closed_at=row.closed_at,
        )


@strawberry.type
class PaymentFields:
    """Of a rider who looks at the own account."""

    @fields.resolved("The rider's cards, the default one first; 10 at most.")
    async def payment_methods(self, info: strawberry.Info) -> list[PaymentMethod]:
        return [PaymentMethod.of(row) for row in await payment_resolvers.list_payment_methods(info.context)]

    @fields.resolved("What is left of redeemed codes, one a currency; 10 at most. Receipts are paid with it first.")
    async def credit(self, info: strawberry.Info) -> list[Money]:
        return [Money.of(left) for left in await payment_resolvers.list_credit(info.context)]
