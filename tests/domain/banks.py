"""A bank with a memory: it does what it is asked once a key, and whoever drives it decides whether that is heard."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from uuid import UUID

from app.gateways.payments import SimulatedPayments
from domain import errors
from domain.ports import Intent, IntentOrder, IntentState


class Mood(Enum):
    ANSWERS = "answers"
    #: hears nothing
    DEAF = "deaf"
    #: does it, and nobody hears the answer
    MUTE = "mute"
    UNDECIDED = "undecided"
    DECLINES = "declines"


class Bank(SimulatedPayments):
    def __init__(self) -> None:
        super().__init__()
        self.mood = Mood.ANSWERS
        #: by payment
        self.intents: dict[UUID, Intent] = {}
        self.orders: dict[str, IntentOrder] = {}
        #: how much, by key
        self.refunds: dict[str, int] = {}
        self._keys: dict[UUID, str] = {}

    @property
    def kept_minor(self) -> int:
        """What it has taken for us, less what it gave back."""
        taken = sum(one.captured_minor for one in self.intents.values() if one.state is IntentState.SUCCEEDED)
        return taken - sum(self.refunds.values())

    async def pay(self, order: IntentOrder, *, key: str) -> Intent:
        self._hear()
        assert self._keys.setdefault(order.payment_id, key) == key, "a payment is asked for by one key"
        if order.payment_id not in self.intents:
            intent = Intent(f"pi_{order.payment_id.hex}", IntentState.PROCESSING)
            self.intents[order.payment_id], self.orders[intent.gateway_ref] = intent, order
        return self._say(self._decided(order))

    async def look_up(self, gateway_ref: str) -> Intent:
        self._hear()
        return self._say(self._decided(self.orders[gateway_ref]))

    async def find(self, order: IntentOrder) -> Intent | None:
        self._hear()
        return self._say(self._decided(order)) if order.payment_id in self.intents else None

    async def capture(self, gateway_ref: str, amount_minor: int, *, key: str) -> Intent:
        del key
        self._hear()
        order = self.orders[gateway_ref]
        assert 0 < amount_minor <= order.amount_minor, "no more than was held"
        if self.intents[order.payment_id].state is IntentState.AUTHORIZED:
            taken = Intent(gateway_ref, IntentState.SUCCEEDED, amount_minor)
            lost = Intent(gateway_ref, IntentState.CANCELLED, failure="expired")
            self.intents[order.payment_id] = lost if self.mood is Mood.DECLINES else taken
        return self._say(self.intents[order.payment_id])

    async def cancel(self, gateway_ref: str, *, key: str) -> Intent:
        del key
        self._hear()
        payment_id = self.orders[gateway_ref].payment_id
        if self.intents[payment_id].state in (IntentState.AUTHORIZED, IntentState.PROCESSING):
            self.intents[payment_id] = Intent(gateway_ref, IntentState.CANCELLED)
        return self._say(self.intents[payment_id])

    async def refund(self, gateway_ref: str, amount_minor: int, *, key: str) -> str:
        self._hear()
        assert self.refunds.setdefault(key, amount_minor) == amount_minor, "the same key, the same amount"
        self._say(self.intents[self.orders[gateway_ref].payment_id])
        return f"re_{key}"

    def _decided(self, order: IntentOrder) -> Intent:
        known = self.intents[order.payment_id]
        if known.state is IntentState.PROCESSING and self.mood is not Mood.UNDECIDED:
            if self.mood is Mood.DECLINES:
                known = replace(known, state=IntentState.DECLINED, failure="card_declined")
            elif order.holds:
                known = replace(known, state=IntentState.AUTHORIZED)
            else:
                known = replace(known, state=IntentState.SUCCEEDED, captured_minor=order.amount_minor)
            self.intents[order.payment_id] = known
        return known

    def _hear(self) -> None:
        if self.mood is Mood.DEAF:
            raise errors.OutOfReach("The bank does not hear.")

    def _say(self, intent: Intent) -> Intent:
        if self.mood is Mood.MUTE:
            raise errors.OutOfReach("The bank does not answer.")
        return intent
