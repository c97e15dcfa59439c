"""Payments by simulation: Stripe's test tokens decide what becomes of a card, no money moves.

It remembers nothing that matters: names of cards, payments and refunds are made of what they are for, so that a process that was
started again answers alike.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from dataclasses import dataclass
from uuid import UUID

import orjson

from app.settings import Settings
from domain import errors, ports
from domain.ports import Card, GatewayNote, Intent, IntentOrder, IntentState

logger = logging.getLogger(__name__)
VISA, MASTERCARD = "pm_card_visa", "pm_card_mastercard"
#: refused at once
DECLINED = "pm_card_visa_chargeDeclined"
#: can be added, and is refused when it is to pay
DECLINED_LATER = "pm_card_chargeCustomerFail"
#: can be added, and nobody hears what became of its first payments: see SILENT_ASKS
SILENT = "pm_card_silent"
#: can be added; the bank takes its time with each payment, and a webhook may come first
LATE = "pm_card_late"
#: can be added; what was held cannot be taken
CAPTURE_FAILS = "pm_card_captureFails"
#: can be added, and is refused when it is to pay, as its bank wants to ask its owner again
AUTHENTICATION_REQUIRED = "pm_card_authenticationRequired"
_CARDS = {
    VISA: ("visa", "4242"),
    MASTERCARD: ("mastercard", "4444"),
    DECLINED: ("visa", "0002"),
    DECLINED_LATER: ("visa", "0341"),
    SILENT: ("visa", "0009"),
    LATE: ("visa", "0007"),
    CAPTURE_FAILS: ("visa", "0008"),
    AUTHENTICATION_REQUIRED: ("visa", "3184"),
}
#: how often a silent card leaves its question open, and a late one says that it is not decided
SILENT_ASKS = 2
_FAILURES = {DECLINED: "card_declined", DECLINED_LATER: "card_declined", AUTHENTICATION_REQUIRED: "authentication_required"}
#: between the name of a form and what opens it
_OPENER = "_secret_"
#: in names of payments, before the amount
_HELD, _TAKEN = "h", "t"


@dataclass
class _Held:
    amount_minor: int
    intent: Intent


def payment_gateway(settings: Settings) -> ports.PaymentGateway:
    """Stripe where there is a key for it; the simulator where nobody really rides."""
    if settings.stripe_key is not None:
        # A large library, for who uses it.
        from app.gateways.stripe_payments import StripePayments

        return StripePayments(settings.stripe_key, settings.stripe_webhook_secret, settings.stripe_url)
    if settings.is_production:
        logger.warning("no payment gateway is set up: nobody can add a card, and nothing is charged")
        return ClosedPayments()
    return SimulatedPayments()


class SimulatedPayments:
    def __init__(self, secret: bytes = b"simulated") -> None:
        self._secret = secret
        self._intents: dict[str, _Held] = {}
        self._asked: dict[str, int] = {}

    async def add_customer(self, customer_id: UUID, *, key: str) -> str:
        del key
        return simulated_customer(customer_id)

    async def forget_customer(self, customer_ref: str) -> None:
        del customer_ref

    async def prepare_card(self, customer_ref: str, *, key: str) -> str:
        """Its form needs no opening: the name before the secret is a token by which the bank has confirmed a Visa card."""
        return f"{_setup(customer_ref, _digest(key))}{_OPENER}sim"

    async def add_card(self, customer_ref: str, token: str, *, key: str) -> Card:
        if token.startswith("seti_sim_"):
            if token != _setup(customer_ref, token.split("_")[2]):
                raise errors.InvalidInput.of("gatewayToken", "This token is not good.")
            return simulated_card(customer_ref, VISA, token)
        if token == DECLINED:
            raise errors.PaymentMethodDeclined(path="gatewayToken")
        found = _CARDS.get(token)
        if found is None:
            known = ", ".join(name for name in _CARDS if name != DECLINED)
            raise errors.InvalidInput.of("gatewayToken", f"The simulator knows these tokens alone: {known}, {DECLINED}.")
        return simulated_card(customer_ref, token, key)

    async def remove_card(self, card_ref: str) -> None:
        del card_ref

    async def pay(self, order: IntentOrder, *, key: str) -> Intent:
        del key
        how = _HELD if order.holds else _TAKEN
        ref = f"pi_sim_{order.payment_id.hex}_{how}{order.amount_minor}_{_token(order.card_ref)}"
        if ref in self._intents:
            return self._settled(ref)
        token = _token(order.card_ref)
        if token in _FAILURES:
            intent = Intent(ref, IntentState.DECLINED, failure=_FAILURES[token])
        elif order.holds:
            intent = Intent(ref, IntentState.AUTHORIZED)
        else:
            intent = Intent(ref, IntentState.SUCCEEDED, order.amount_minor)
        self._intents[ref] = _Held(order.amount_minor, intent)
        return self._settled(ref)

    def _settled(self, ref: str) -> Intent:
        """What is known by now."""
        held, token = self._intents[ref], _token(ref)
        self._asked[ref] = asked = self._asked.get(ref, 0) + 1
        if token == SILENT and asked <= SILENT_ASKS:
            raise errors.OutOfReach("The bank does not answer.")
        if token == LATE and asked <= SILENT_ASKS:
            return Intent(ref, IntentState.PROCESSING)
        return held.intent

    async def capture(self, gateway_ref: str, amount_minor: int, *, key: str) -> Intent:
        del key
        if _token(gateway_ref) == CAPTURE_FAILS:
            return self._now(gateway_ref, Intent(gateway_ref, IntentState.CANCELLED, failure="capture_failed"))
        return self._now(gateway_ref, Intent(gateway_ref, IntentState.SUCCEEDED, amount_minor))

    async def cancel(self, gateway_ref: str, *, key: str) -> Intent:
        del key
        held = self._intents.get(gateway_ref)
        if held is not None and held.intent.state is IntentState.SUCCEEDED:
            return held.intent
        return self._now(gateway_ref, Intent(gateway_ref, IntentState.CANCELLED))

    def _now(self, ref: str, intent: Intent) -> Intent:
        self._intents[ref] = _Held(intent.captured_minor, intent)
        return intent

    async def refund(self, gateway_ref: str, amount_minor: int, *, key: str) -> str:
        return f"re_sim_{_digest(gateway_ref, str(amount_minor), key)}"

    async def look_up(self, gateway_ref: str) -> Intent:
        if gateway_ref in self._intents:
            return self._settled(gateway_ref)
        # Of a process that is gone: what waited for the bank was decided meanwhile.
        how = gateway_ref.split("_")[3]
        if how.startswith(_HELD):
            return Intent(gateway_ref, IntentState.AUTHORIZED)
        return Intent(gateway_ref, IntentState.SUCCEEDED, int(how.removeprefix(_TAKEN)))

    async def find(self, order: IntentOrder) -> Intent | None:
        del order
        return None

    async def find_refund(self, gateway_ref: str, *, key: str) -> str | None:
        del gateway_ref, key
        return None

    def open_note(self, body: bytes, signature: str) -> GatewayNote:
        if not hmac.compare_digest(signature, self.sign(body)):
            raise errors.InvalidCredentials("The signature is not the gateway's.")
        return GatewayNote(**orjson.loads(body))

    async def close(self) -> None: ...

    def sign(self, body: bytes) -> str:
        return hmac.new(self._secret, body, hashlib.sha256).hexdigest()


def simulated_customer(customer_id: UUID) -> str:
    return f"cus_sim_{customer_id.hex}"


def simulated_card(customer_ref: str, token: str = VISA, key: str = "") -> Card:
    brand, last4 = _CARDS[token]
    return Card(f"pm_sim_{_digest(customer_ref, token, key)}_0_{token}", brand, last4, 12, 2040)


def _setup(customer_ref: str, name: str) -> str:
    return f"seti_sim_{name}_{_digest(customer_ref, name)}"


def _token(ref: str) -> str:
    """The end of a name: what comes after kind, `sim`, number and amount."""
    return ref.split("_", 4)[4]


def _digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


class ClosedPayments:
    """No gateway is set up: nobody adds a card, and nothing is charged until one is."""

    async def add_customer(self, *_: object, **__: object) -> str:
        raise self._closed()

    async def forget_customer(self, *_: object, **__: object) -> None:
        raise self._closed()

    async def prepare_card(self, *_: object, **__: object) -> str:
        raise self._closed()

    async def add_card(self, *_: object, **__: object) -> Card:
        raise self._closed()

    async def remove_card(self, *_: object, **__: object) -> None:
        raise self._closed()

    async def pay(self, *_: object, **__: object) -> Intent:
        raise self._closed()

    async def capture(self, *_: object, **__: object) -> Intent:
        raise self._closed()

    async def cancel(self, *_: object, **__: object) -> Intent:
        raise self._closed()

    async def refund(self, *_: object, **__: object) -> str:
        raise self._closed()

    async def look_up(self, *_: object, **__: object) -> Intent:
        raise self._closed()

    async def find(self, *_: object, **__: object) -> Intent | None:
        raise self._closed()

    async def find_refund(self, *_: object, **__: object) -> str | None:
        raise self._closed()

    def open_note(self, *_: object, **__: object) -> GatewayNote:
        raise errors.InvalidCredentials("No payment gateway is set up here.")

    async def close(self) -> None: ...

    @staticmethod
    def _closed() -> errors.OutOfReach:
        return errors.OutOfReach("Payments are not set up here.")
