"""Stripe's API on this machine: real HTTP with state, idempotency keys that replay, test cards, and faults on demand.

Only what the wire shows is imitated: form bodies, status codes, error objects, signed webhooks.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY, SECRET = "sk_test_local", "whsec_local"
DECLINING = {"pm_card_visa_chargeDeclined": "generic_decline"}
#: attached like any other, refused when charged
FAILING = {"pm_card_chargeCustomerFail": "insufficient_funds"}


class Refusal(Exception):
    def __init__(self, status: int, kind: str, code: str, **more: Any) -> None:
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": f"{code}.", **more}}
        super().__init__(code)


@dataclass
class StripeApi:
    url: str = ""
    #: what becomes of the next requests that change something: `drop` (before it is done), `lose` (after it was done),
    #: `500`, `500_after`, `429`, `hang` (until `may_answer`), `500_for_good` and `done_500_for_good` (whenever the same key is
    #: used); afterwards all goes well
    faults: list[str] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    replies: dict[str, tuple[str, int, dict[str, Any]]] = field(default_factory=dict)
    #: webhooks that it would send, in the order of what happened
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    #: states that intents are in at first, by payment method: `processing`
    slow: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, method: str, path: str, given: dict[str, Any], key: str | None) -> tuple[int, dict[str, Any]]:
        """One request, once for each key."""
        print_ = f"{method} {path} {json.dumps(given, sort_keys=True)}"
        with self.lock:
            if key is not None and key in self.replies:
                was, status, body = self.replies[key]
                if was != print_:
                    return 400, {
                        "error": {"type": "idempotency_error", "message": "Keys can only be used with the same parameters."}
                    }
                return status, body
            try:
                status, body = 200, self._do(method, path.removeprefix("/v1/").split("/"), given)
            except Refusal as refusal:
                status, body = refusal.status, refusal.body
            if key is not None:
                self.replies[key] = print_, status, json.loads(json.dumps(body))
            return status, json.loads(json.dumps(body))

    def fail_for_good(self, method: str, path: str, given: dict[str, Any], key: str | None) -> None:
        """A failure that is repeated for as long as the key is known."""
        if key is not None:
            print_ = f"{method} {path} {json.dumps(given, sort_keys=True)}"
            self.replies[key] = (print_, 500, {"error": {"type": "api_error", "message": "broken"}})

    def forget_keys(self) -> None:
        self.replies.clear()

    def _do(self, method: str, path: list[str], given: dict[str, Any]) -> dict[str, Any]:
        match method, path:
            case "POST", ["customers"]:
                return self._new("cus", "customer", metadata=given.get("metadata", {}))
            case "DELETE", ["customers", id]:
                self._get(id)["deleted"] = True
                return {"id": id, "object": "customer", "deleted": True}
            case "POST", ["setup_intents"]:
                return self._prepare(given)
            case "GET", ["setup_intents", id]:
                return self._get(id)
            case "POST", ["payment_methods", token, "attach"]:
                return self._attach(token, given["customer"])
            case "POST", ["payment_methods", id, "detach"]:
                return self._detach(id)
            case "POST", ["payment_intents"]:
                return self._pay(given)
            case "GET", ["payment_intents"]:
                own = [one for one in self.of("payment_intent") if one["customer"] == given["customer"]]
                return {"object": "list", "url": "/v1/payment_intents", "has_more": False, "data": own[::-1]}
            case "GET", ["payment_intents", id]:
                return self._settled(self._get(id))
            case "POST", ["payment_intents", id, "capture"]:
                return self._capture(self._get(id), int(given["amount_to_capture"]))
            case "POST", ["payment_intents", id, "cancel"]:
                return self._cancel(self._get(id))
            case "POST", ["refunds"]:
                return self._refund(self._get(given["payment_intent"]), int(given["amount"]), given["metadata"])
            case "GET", ["refunds"]:
                own = [one for one in self.of("refund") if one["payment_intent"] == given["payment_intent"]]
                return {"object": "list", "url": "/v1/refunds", "has_more": False, "data": own[::-1]}
        raise Refusal(404, "invalid_request_error", "url_unknown")

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.objects.values() if one["object"] == kind]

    def _new(self, prefix: str, kind: str, **given: Any) -> dict[str, Any]:
        made = {"id": f"{prefix}_{next(self.numbers)}", "object": kind, **given}
        self.objects[made["id"]] = made
        return made

    def _get(self, id: str) -> dict[str, Any]:
        found = self.objects.get(id)
        if found is None or found.get("deleted"):
            raise Refusal(404, "invalid_request_error", "resource_missing", param="id")
        return found

    def _attach(self, token: str, customer: str) -> dict[str, Any]:
        self._get(customer)
        if token in DECLINING:
            raise Refusal(402, "card_error", "card_declined", decline_code=DECLINING[token])
        if not token.startswith("pm_card_"):
            raise Refusal(404, "invalid_request_error", "resource_missing", param="payment_method")
        card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040}
        return self._new("pm", "payment_method", type="card", card=card, customer=customer, token=token)

    def _prepare(self, given: dict[str, Any]) -> dict[str, Any]:
        made = self._new("seti", "setup_intent", customer=self._get(given["customer"])["id"], usage=given["usage"])
        made.update(status="requires_payment_method", payment_method=None, last_setup_error=None)
        made["client_secret"] = f"{made['id']}_secret_local"
        return made

    def confirm(self, client_secret: str, token: str = "pm_card_visa") -> str:  # noqa: S107 - a test token
        """As its form in a browser: the card is typed, and the bank asks its owner. What the form gives back."""
        setup = self._get(client_secret.partition("_secret_")[0])
        try:
            setup.update(payment_method=self._attach(token, setup["customer"]), status="succeeded")
        except Refusal as refusal:
            setup.update(last_setup_error=refusal.body["error"])
        return str(setup["id"])

    def _detach(self, id: str) -> dict[str, Any]:
        found = self._get(id)
        if found["customer"] is None:
            raise Refusal(400, "invalid_request_error", "payment_method_unattached")
        found["customer"] = None
        return found

    def _pay(self, given: dict[str, Any]) -> dict[str, Any]:
        card = self._get(given["payment_method"])
        if card["customer"] != given["customer"]:
            raise Refusal(400, "invalid_request_error", "payment_method_unusable", param="payment_method")
        amount, holds = int(given["amount"]), given["capture_method"] == "manual"
        intent = self._new(
            "pi",
            "payment_intent",
            amount=amount,
            amount_capturable=0,
            amount_received=0,
            amount_refunded=0,
            currency=given["currency"],
            customer=given["customer"],
            metadata=given["metadata"],
            last_payment_error=None,
            status="processing",
            holds=holds,
        )
        if card["token"] in FAILING:
            intent["status"] = "requires_payment_method"
            intent["last_payment_error"] = {"code": "card_declined", "decline_code": FAILING[card["token"]]}
            self.tell("payment_intent.payment_failed", intent)
            declined = {"decline_code": FAILING[card["token"]], "payment_intent": dict(intent)}
            raise Refusal(402, "card_error", "card_declined", **declined)
        if card["token"] not in self.slow:
            self._settled(intent)
        return intent

    def _settled(self, intent: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] == "processing":
            if intent["holds"]:
                intent.update(status="requires_capture", amount_capturable=intent["amount"])
                self.tell("payment_intent.amount_capturable_updated", intent)
            else:
                intent.update(status="succeeded", amount_received=intent["amount"])
                self.tell("payment_intent.succeeded", intent)
        return intent

    def _capture(self, intent: dict[str, Any], amount: int) -> dict[str, Any]:
        if intent["status"] != "requires_capture":
            raise Refusal(400, "invalid_request_error", "payment_intent_unexpected_state")
        intent.update(status="succeeded", amount_received=amount, amount_capturable=0)
        self.tell("payment_intent.succeeded", intent)
        return intent

    def _cancel(self, intent: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] in ("succeeded", "canceled", "processing"):
            raise Refusal(400, "invalid_request_error", "payment_intent_unexpected_state")
        intent.update(status="canceled", amount_capturable=0)
        self.tell("payment_intent.canceled", intent)
        return intent

    def expire(self, intent_id: str) -> None:
        """What the bank does to a hold after seven days."""
        self._cancel(self._get(intent_id))

    def _refund(self, intent: dict[str, Any], amount: int, metadata: dict[str, str]) -> dict[str, Any]:
        if intent["amount_refunded"] + amount > intent["amount_received"]:
            raise Refusal(400, "invalid_request_error", "charge_already_refunded")
        intent["amount_refunded"] += amount
        given = {"amount": amount, "payment_intent": intent["id"], "metadata": metadata}
        refund = self._new("re", "refund", status="succeeded", failure_reason=None, **given)
        self.tell("refund.created", refund)
        return refund

    def dispute(self, intent_id: str, status: str = "needs_response") -> dict[str, Any]:
        intent = self._get(intent_id)
        made = self._new(
            "dp",
            "dispute",
            amount=intent["amount_received"],
            payment_intent=intent_id,
            reason="fraudulent",
            status=status,
        )
        self.tell("charge.dispute.created", made)
        return made

    def decide(self, dispute: dict[str, Any], status: str) -> None:
        dispute["status"] = status
        self.tell("charge.dispute.closed", dispute)

    def fail_refund(self, refund_id: str) -> None:
        refund = self._get(refund_id)
        refund.update(status="failed", failure_reason="expired_or_canceled_card")
        self._get(refund["payment_intent"])["amount_refunded"] -= refund["amount"]
        self.tell("refund.failed", refund)

    def tell(self, kind: str, about: dict[str, Any]) -> None:
        event = {
            "id": f"evt_{next(self.numbers)}",
            "object": "event",
            "type": kind,
            "data": {"object": json.loads(json.dumps(about))},
        }
        self.events.append(event)

    @property
    def held(self) -> int:
        """What it has of ours: taken, not given back, not held back by a bank."""
        taken = sum(one["amount_received"] - one["amount_refunded"] for one in self.of("payment_intent"))
        return int(taken - sum(one["amount"] for one in self.of("dispute") if one["status"] != "won"))


def signed(event: dict[str, Any], secret: str = SECRET, *, age: float = 0) -> tuple[bytes, str]:
    """Body and signature, as Stripe sends them."""
    body = json.dumps(event).encode()
    at = int(time.time() - age)
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return body, f"t={at},v1={mac}"


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`metadata[payment_id]=…` as Stripe reads it."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        outer, _, inner = name.partition("[")
        if inner:
            found.setdefault(outer, {})[inner.rstrip("]")] = value
        else:
            found[name] = value
    return found


def _handler(api: StripeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self._serve("POST")

        def do_GET(self) -> None:
            self._serve("GET")

        def do_DELETE(self) -> None:
            self._serve("DELETE")

        def _serve(self, method: str) -> None:
            url = urlsplit(self.path)
            sent = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            given, key = _nested(parse_qsl(url.query or sent)), self.headers.get("idempotency-key")
            if self.headers.get("authorization") != f"Bearer {KEY}":
                self._reply(401, {"error": {"type": "invalid_request_error", "message": "No such key."}})
                return
            with api.lock:
                api.asked.append(f"{method} {url.path}")
                fault = api.faults.pop(0) if api.faults and method != "GET" else ""
            self._with(
                fault, lambda: api.answer(method, url.path, given, key), lambda: api.fail_for_good(method, url.path, given, key)
            )

        def _with(self, fault: str, act: Callable[[], tuple[int, dict[str, Any]]], fail: Callable[[], None]) -> None:
            if fault in ("lose", "500_after", "hang"):
                answer = act()
            if fault in ("drop", "lose"):
                self.close_connection = True
                return
            if fault == "hang":
                api.may_answer.wait(60)
                self._reply(*answer)
            elif fault in ("500_for_good", "done_500_for_good"):
                if fault.startswith("done"):
                    act()
                fail()
                self._reply(*act())
            elif fault in ("500", "500_after"):
                self._reply(500, {"error": {"type": "api_error", "message": "broken"}})
            elif fault == "429":
                self._reply(429, {"error": {"type": "rate_limit_error", "message": "slowly"}})
            else:
                self._reply(*act())

        def _reply(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.send_header("request-id", "req_local")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def serving() -> Iterator[StripeApi]:
    api = StripeApi()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(api))
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield api
    finally:
        api.may_answer.set()
        server.shutdown()
        server.server_close()
