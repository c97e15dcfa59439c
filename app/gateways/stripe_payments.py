"""Payments through Stripe, by its official library.

The library tries nothing again by itself: the cashier does, with the same key, and remembers that it did.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import orjson
import stripe

from domain import errors
from domain.ports import Card, GatewayNote, Intent, IntentOrder, IntentState

logger = logging.getLogger(__name__)

#: of one wait for the network, and of a whole ask
CALL_SECONDS, WHOLE_SECONDS = 10.0, 20.0
#: how old a webhook may be: whoever recorded one cannot send it again later
TOLERANCE_SECONDS = 300
#: payments of a rider among which one is looked for whose name was never heard
SEARCHED = 100
#: under which our own id is kept there
OUR_ID = "payment_id"
#: and that of a refund's ask
OUR_KEY = "key"
#: what no second try would change about a refund
_NEVER = {"charge_already_refunded", "charge_disputed", "refund_disputed_payment", "charge_not_refundable"}
#: how names of forms begin in which a bank confirms a card
_SETUP = "seti_"
_BAD_CARD = "This token is not good, or was used before."
#: the card cannot be used (any more): the rider's matter, not ours
_CARD_PARAMETERS = {"payment_method", "customer"}
_STATES = {
    "requires_capture": IntentState.AUTHORIZED,
    "succeeded": IntentState.SUCCEEDED,
    "processing": IntentState.PROCESSING,
    "canceled": IntentState.CANCELLED,
}


class StripePayments:
    def __init__(
        self, key: str, webhook_secret: str | None, url: str | None = None, *, call_seconds: float = CALL_SECONDS
    ) -> None:
        self._webhook_secret = webhook_secret
        self._http = stripe.HTTPXClient(timeout=call_seconds)
        self._client = stripe.StripeClient(
            key,
            http_client=self._http,
            base_addresses={"api": url} if url else {},
            max_network_retries=0,
        )

    async def close(self) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def add_customer(self, customer_id: UUID, *, key: str) -> str:
        """Neither name nor address: Stripe needs none to charge a card."""
        async with _asking():
            made = await self._client.v1.customers.create_async(
                {"metadata": {"customer_id": str(customer_id)}}, {"idempotency_key": key}
            )
            return str(made.id)

    async def forget_customer(self, customer_ref: str) -> None:
        async with _asking():
            try:
                await self._client.v1.customers.delete_async(customer_ref)
            except stripe.InvalidRequestError as error:
                if error.code != "resource_missing":
                    raise

    async def prepare_card(self, customer_ref: str, *, key: str) -> str:
        async with _asking():
            made = await self._client.v1.setup_intents.create_async(
                {"customer": customer_ref, "usage": "off_session", "allowed_payment_method_types": ["card"]},
                {"idempotency_key": key},
            )
            return str(made.client_secret)

    async def add_card(self, customer_ref: str, token: str, *, key: str) -> Card:
        async with _asking():
            try:
                if token.startswith(_SETUP):
                    added = await self._confirmed(customer_ref, token)
                else:
                    added = await self._client.v1.payment_methods.attach_async(
                        token, {"customer": customer_ref}, {"idempotency_key": key}
                    )
            except stripe.CardError as error:
                raise errors.PaymentMethodDeclined(path="gatewayToken") from error
            except stripe.InvalidRequestError as error:
                if error.param == "customer":
                    raise
                raise errors.InvalidInput.of("gatewayToken", _BAD_CARD) from error
        card = added.card
        if card is None:
            raise errors.InvalidInput.of("gatewayToken", "Only cards can be added.")
        return Card(str(added.id), str(card.brand), str(card.last4), int(card.exp_month), int(card.exp_year))

    async def _confirmed(self, customer_ref: str, setup_ref: str) -> stripe.PaymentMethod:
        """The card of a form that the rider has finished."""
        found = await self._client.v1.setup_intents.retrieve_async(setup_ref, {"expand": ["payment_method"]})
        card = found.payment_method
        if found.customer != customer_ref:
            raise errors.InvalidInput.of("gatewayToken", _BAD_CARD)
        if found.status == "succeeded" and isinstance(card, stripe.PaymentMethod):
            if card.customer != customer_ref:
                raise errors.InvalidInput.of("gatewayToken", _BAD_CARD)
            return card
        if found.last_setup_error is not None:
            raise errors.PaymentMethodDeclined(path="gatewayToken")
        raise errors.InvalidInput.of("gatewayToken", "The bank has not confirmed this card yet: finish the form first.")

    async def remove_card(self, card_ref: str) -> None:
        async with _asking():
            try:
                await self._client.v1.payment_methods.detach_async(card_ref)
            except stripe.InvalidRequestError as error:
                # Not attached any more, or gone with its customer.
                logger.info("a card was removed before", extra={"code": error.code})

    async def pay(self, order: IntentOrder, *, key: str) -> Intent:
        async with _asking():
            try:
                made = await self._client.v1.payment_intents.create_async(
                    {
                        "amount": order.amount_minor,
                        "currency": order.currency.lower(),
                        "customer": order.customer_ref,
                        "payment_method": order.card_ref,
                        "allowed_payment_method_types": ["card"],
                        "capture_method": "manual" if order.holds else "automatic",
                        "confirm": True,
                        "off_session": True,
                        "metadata": {OUR_ID: str(order.payment_id)},
                    },
                    {"idempotency_key": key},
                )
            except stripe.CardError as error:
                return _declined(error)
            except stripe.InvalidRequestError as error:
                if error.param not in _CARD_PARAMETERS and error.code != "resource_missing":
                    raise
                return Intent("", IntentState.DECLINED, failure=error.code or "card_gone")
            return _intent(made)

    async def capture(self, gateway_ref: str, amount_minor: int, *, key: str) -> Intent:
        async with _asking():
            try:
                taken = await self._client.v1.payment_intents.capture_async(
                    gateway_ref, {"amount_to_capture": amount_minor}, {"idempotency_key": key}
                )
            except stripe.CardError as error:
                return _declined(error, gateway_ref)
            except stripe.InvalidRequestError as error:
                return await self._as_it_is(gateway_ref, error)
            return _intent(taken)

    async def cancel(self, gateway_ref: str, *, key: str) -> Intent:
        async with _asking():
            try:
                return _intent(await self._client.v1.payment_intents.cancel_async(gateway_ref, {}, {"idempotency_key": key}))
            except stripe.InvalidRequestError as error:
                return await self._as_it_is(gateway_ref, error)

    async def _as_it_is(self, gateway_ref: str, refusal: stripe.InvalidRequestError) -> Intent:
        """It was captured, cancelled or had expired before."""
        found = _intent(await self._client.v1.payment_intents.retrieve_async(gateway_ref))
        if found.state is IntentState.AUTHORIZED:
            raise refusal
        return found

    async def refund(self, gateway_ref: str, amount_minor: int, *, key: str) -> str:
        async with _asking():
            try:
                made = await self._client.v1.refunds.create_async(
                    {"payment_intent": gateway_ref, "amount": amount_minor, "metadata": {OUR_KEY: key}}, {"idempotency_key": key}
                )
            except stripe.InvalidRequestError as error:
                if error.code not in _NEVER:
                    raise
                raise errors.PaymentMethodDeclined(error.code) from error
        if made.status in ("failed", "canceled"):
            raise errors.PaymentMethodDeclined(made.failure_reason or made.status)
        return str(made.id)

    async def look_up(self, gateway_ref: str) -> Intent:
        async with _asking():
            return _intent(await self._client.v1.payment_intents.retrieve_async(gateway_ref))

    async def find(self, order: IntentOrder) -> Intent | None:
        async with _asking():
            found = await self._client.v1.payment_intents.list_async({"customer": order.customer_ref, "limit": SEARCHED})
        own = (one for one in found.data if _notes_on(one).get(OUR_ID) == str(order.payment_id))
        return next(map(_intent, own), None)

    async def find_refund(self, gateway_ref: str, *, key: str) -> str | None:
        async with _asking():
            found = await self._client.v1.refunds.list_async({"payment_intent": gateway_ref, "limit": SEARCHED})
        own = (one for one in found.data if _notes_on(one).get(OUR_KEY) == key)
        return next((str(one.id) for one in own), None)

    def open_note(self, body: bytes, signature: str) -> GatewayNote:
        try:
            stripe.WebhookSignature.verify_header(body, signature, self._webhook_secret, TOLERANCE_SECONDS)
            event = orjson.loads(body)
            return _note(event["id"], event["type"], event["data"]["object"])
        except (stripe.SignatureVerificationError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise errors.InvalidCredentials("This is not signed by the payment gateway, or not now.") from error


@asynccontextmanager
async def _asking() -> AsyncIterator[None]:
    """What is our fault is an error in the log; either way nobody knows what happened, and it may be asked again."""
    try:
        async with asyncio.timeout(WHOLE_SECONDS):
            yield
    except (stripe.InvalidRequestError, stripe.AuthenticationError, stripe.PermissionError, stripe.IdempotencyError) as error:
        told = {"error": type(error).__name__, "code": error.code, "request": error.request_id}
        logger.error("Stripe does not take what we ask", extra=told)
        raise errors.OutOfReach("Payments are out of order. Nothing was changed; try again later.") from error
    except (stripe.StripeError, TimeoutError) as error:
        raise errors.OutOfReach("The payment gateway does not answer. Try again.") from error


def _notes_on(found: stripe.PaymentIntent | stripe.Refund) -> dict[str, Any]:
    whole: dict[str, Any] = found.to_dict()
    return whole.get("metadata") or {}


def _declined(error: stripe.CardError, gateway_ref: str = "") -> Intent:
    body: Any = error.json_body or {}
    said: dict[str, Any] = body.get("error", {})
    intent: dict[str, Any] = said.get("payment_intent") or {}
    ref = gateway_ref or intent.get("id", "")
    return Intent(str(ref), IntentState.DECLINED, failure=said.get("decline_code") or error.code or "card_declined")


def _intent(found: stripe.PaymentIntent) -> Intent:
    state = _STATES.get(found.status, IntentState.DECLINED)
    failure = None
    if state is IntentState.DECLINED:
        last = found.last_payment_error
        failure = (last and (last.decline_code or last.code)) or found.status
    return Intent(str(found.id), state, int(found.amount_received or 0), failure)


def _note(id: str, kind: str, told: dict[str, Any]) -> GatewayNote:
    if kind.startswith("payment_intent."):
        last = told.get("last_payment_error") or {}
        reason = last.get("decline_code") or last.get("code")
        return GatewayNote(id, kind, told["id"], None, told.get("amount_received"), reason, told.get("status"))
    payment_ref = told.get("payment_intent") or ""
    if kind.startswith(("charge.dispute.", "refund.", "charge.refund.")):
        reason = told.get("failure_reason") or told.get("reason")
        return GatewayNote(id, kind, payment_ref, told["id"], told.get("amount"), reason, told.get("status"))
    return GatewayNote(id, kind, payment_ref)
