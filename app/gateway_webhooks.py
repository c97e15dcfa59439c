"""Webhooks of the payment gateway: `POST /webhooks/stripe`. Answered with success once they are recorded, and not before."""

from __future__ import annotations

import logging

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from app.cashier import Decide
from app.database import SessionFactory
from domain import errors, gateway_notes, ports
from resolvers import transactions

logger = logging.getLogger(__name__)
PATH = "/webhooks/stripe"
SIGNATURE = "stripe-signature"
MAX_BYTES = 262_144


class GatewayWebhooks:
    """Whoever has no signature learns nothing; what cannot be recorded now is refused, so that the gateway sends it again."""

    def __init__(self, sessions: SessionFactory, clock: ports.Clock, gateway: ports.PaymentGateway, decide: Decide) -> None:
        self._sessions = sessions
        self._clock = clock
        self._gateway = gateway
        self._decide = decide

    async def __call__(self, request: Request) -> Response:
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return Response(status_code=413)
        try:
            note = self._gateway.open_note(body, request.headers.get(SIGNATURE, ""))
        except errors.InvalidCredentials:
            logger.warning("a webhook was not signed as it should be", extra={"bytes": len(body)})
            return Response(status_code=400)
        now = self._clock.now()
        try:
            async with transactions.transaction(self._sessions) as session:
                outcome = await gateway_notes.record_note(session, note, now=now)
                if outcome is not None:
                    await self._decide(session, outcome.trip_id, outcome.is_authorized, now)
        except errors.OutOfReach:
            return Response(status_code=503)
        return Response(status_code=200)


async def _body(request: Request) -> bytes | None:
    """None: too long. The length that is announced may be wrong, or missing."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BYTES:
            return None
    return bytes(body)
