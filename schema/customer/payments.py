"""A rider's cards, debts and codes."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from resolvers import payments
from schema import access, errors, trip_errors
from schema.customer.reservations import KEY
from schema.types.money import Money
from schema.types.payments import PaymentMethod
from schema.types.receipts import Receipt


@strawberry.input(description="A card is to be added.")
class PreparePaymentMethodInput:
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The payment gateway's form may be opened.")
class PreparePaymentMethodSuccess:
    client_secret: str = field(
        description="Opens the form, for this rider alone: there the card is typed, and its bank asks its owner to confirm that"
        " it may be charged later. Of the form comes a name (`seti_…`), the token to add the card with."
    )


PreparePaymentMethodResult = Annotated[
    PreparePaymentMethodSuccess | errors.InvalidInputError | errors.NotFoundError | errors.IdempotencyConflictError,
    strawberry.union("PreparePaymentMethodResult", description="What preparing a card can answer."),
]


@strawberry.input(description="The card to add.")
class AddPaymentMethodInput:
    gateway_token: str = field(
        description="What the payment gateway's form returned: `seti_…`, confirmed by the bank, or `pm_…`, which banks in the EU"
        " may refuse to charge later. In the demo what stands before `_secret_`, or one of Stripe's test tokens, such as"
        " `pm_card_visa`."
    )
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The card is added, and the default.")
class AddPaymentMethodSuccess:
    payment_method: PaymentMethod = field(description="The card.")


AddPaymentMethodResult = Annotated[
    AddPaymentMethodSuccess
    | trip_errors.PaymentMethodDeclinedError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("AddPaymentMethodResult", description="What adding a card can answer."),
]


@strawberry.input(description="The card to remove.")
class RemovePaymentMethodInput:
    payment_method_id: strawberry.ID = field(description="The card.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The card is gone. If it was the default, the newest of the others is.")
class RemovePaymentMethodSuccess:
    payment_methods: list[PaymentMethod] = field(description="Those that are left; 10 at most.")


RemovePaymentMethodResult = Annotated[
    RemovePaymentMethodSuccess | errors.InvalidInputError | errors.NotFoundError | errors.IdempotencyConflictError,
    strawberry.union("RemovePaymentMethodResult", description="What removing a card can answer."),
]


@strawberry.input(description="The card to charge from now on.")
class SetDefaultPaymentMethodInput:
    payment_method_id: strawberry.ID = field(description="The card.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="It is the default. What waits for another try is tried with it.")
class SetDefaultPaymentMethodSuccess:
    payment_method: PaymentMethod = field(description="The card.")


SetDefaultPaymentMethodResult = Annotated[
    SetDefaultPaymentMethodSuccess | errors.InvalidInputError | errors.NotFoundError | errors.IdempotencyConflictError,
    strawberry.union("SetDefaultPaymentMethodResult", description="What choosing a card can answer."),
]


@strawberry.input(description="What to pay.")
class PayReceiptInput:
    receipt_id: strawberry.ID = field(description="The receipt.")
    idempotency_key: str = field(description=KEY)
    payment_method_id: strawberry.ID | None = field(default=None, description="The default card when left out.")


@strawberry.type(description="The card is being charged; it is settled within seconds, or declined.")
class PayReceiptSuccess:
    receipt: Receipt = field(description="The receipt.")


PayReceiptResult = Annotated[
    PayReceiptSuccess
    | trip_errors.PaymentMethodRequiredError
    | errors.InvalidInputError
    | errors.NotFoundError
    | errors.IdempotencyConflictError,
    strawberry.union("PayReceiptResult", description="What paying can answer."),
]


@strawberry.input(description="The code to redeem.")
class RedeemPromotionInput:
    code: str = field(description="As it was told; small letters do.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The code is redeemed.")
class RedeemPromotionSuccess:
    credit: list[Money] = field(description="The credit that the rider has now, one a currency; 10 at most.")


RedeemPromotionResult = Annotated[
    RedeemPromotionSuccess | trip_errors.PromotionClosedError | errors.InvalidInputError | errors.IdempotencyConflictError,
    strawberry.union("RedeemPromotionResult", description="What redeeming can answer."),
]


@strawberry.type
class PaymentMutations:
    @access.mutation(access.RIDERS, "Prepare adding a card: its bank is to confirm it in the payment gateway's form.")
    async def prepare_payment_method(
        self, info: strawberry.Info, input: Annotated[PreparePaymentMethodInput, access.INPUT]
    ) -> PreparePaymentMethodResult | None:
        secret = await payments.prepare_payment_method(info.context, idempotency_key=input.idempotency_key)
        return PreparePaymentMethodSuccess(client_secret=secret)

    @access.mutation(access.RIDERS, "Add a card; 10 at most. It becomes the default.")
    async def add_payment_method(
        self, info: strawberry.Info, input: Annotated[AddPaymentMethodInput, access.INPUT]
    ) -> AddPaymentMethodResult | None:
        row = await payments.add_payment_method(
            info.context, gateway_token=input.gateway_token, idempotency_key=input.idempotency_key
        )
        return AddPaymentMethodSuccess(payment_method=PaymentMethod.of(row))

    @access.mutation(access.RIDERS, "Remove a card. What is being charged to it goes on.")
    async def remove_payment_method(
        self, info: strawberry.Info, input: Annotated[RemovePaymentMethodInput, access.INPUT]
    ) -> RemovePaymentMethodResult | None:
        rows = await payments.remove_payment_method(
            info.context, method_id=input.payment_method_id, idempotency_key=input.idempotency_key
        )
        return RemovePaymentMethodSuccess(payment_methods=[PaymentMethod.of(row) for row in rows])

    @access.mutation(access.RIDERS, "Choose the card that is charged.")
    async def set_default_payment_method(
        self, info: strawberry.Info, input: Annotated[SetDefaultPaymentMethodInput, access.INPUT]
    ) -> SetDefaultPaymentMethodResult | None:
        row = await payments.set_default_payment_method(
            info.context, method_id=input.payment_method_id, idempotency_key=input.idempotency_key
        )
        return SetDefaultPaymentMethodSuccess(payment_method=PaymentMethod.of(row))

    @access.mutation(access.RIDERS, "Pay what is owed of a receipt now. What is being paid is not asked for twice.")
    async def pay_receipt(
        self, info: strawberry.Info, input: Annotated[PayReceiptInput, access.INPUT]
    ) -> PayReceiptResult | None:
        row = await payments.pay_receipt(
            info.context,
            receipt_id=input.receipt_id,
            method_id=input.payment_method_id,
            idempotency_key=input.idempotency_key,
        )
        return PayReceiptSuccess(receipt=Receipt.of(row))

    @access.mutation(access.RIDERS, "Redeem a code for credit, once. Receipts are paid with credit first.")
    async def redeem_promotion(
        self, info: strawberry.Info, input: Annotated[RedeemPromotionInput, access.INPUT]
    ) -> RedeemPromotionResult | None:
        credit = await payments.redeem_promotion(info.context, code=input.code, idempotency_key=input.idempotency_key)
        return RedeemPromotionSuccess(credit=[Money.of(left) for left in credit])
