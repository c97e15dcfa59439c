"""Receipts as PDF: what `domain.receipt_documents` writes, set by Typst from the template beside this file.

The data goes in as JSON and is only ever shown: nothing that people write becomes source of the template.
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import orjson
import typst
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.gateways.throttles import MinuteThrottle
from app.settings import Settings
from domain import errors, receipt_documents
from domain.receipt_documents import Document, Seller
from resolvers import receipts

logger = logging.getLogger(__name__)
TEMPLATE = Path(__file__).with_name("receipt.typ")
#: receipts that one address may open: nobody guesses a link, but trying costs us
PER_MINUTE = 60
#: documents that are set at a time in this process, each for some 20 ms on a thread
AT_ONCE = 2
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_STATUS: dict[type[errors.DomainError], tuple[int, str]] = {
    errors.NotFound: (404, "NOT_FOUND"),
    errors.LinkExpired: (410, "LINK_EXPIRED"),
    errors.TooManyTries: (429, "RATE_LIMITED"),
    errors.OutOfReach: (503, "UNAVAILABLE"),
}


class ReceiptPrinter:
    """Sets documents off the event loop, some at a time."""

    def __init__(self, seller: Seller) -> None:
        self._seller = seller
        self._turns = asyncio.Semaphore(AT_ONCE)
        # Those of the library alone: it looks the same everywhere, in Latin, Greek and Cyrillic.
        self._fonts = typst.Fonts(include_system_fonts=False)

    async def print(self, document: Document) -> bytes:
        async with self._turns:
            return await asyncio.to_thread(self.set, document)

    def set(self, document: Document) -> bytes:
        return typst.compile(
            TEMPLATE,
            root=TEMPLATE.parent,
            font_paths=self._fonts,
            format="pdf",
            pdf_standards="a-2b",
            sys_inputs={"data": json.dumps(receipt_documents.written(document, self._seller))},
            timestamp=int(document.receipt.issued_at.timestamp()),
        )


class ReceiptFiles:
    """`GET /receipts/{token}.pdf`: the link is the permission."""

    def __init__(self, settings: Settings, redis_url: str | None) -> None:
        seller = Seller(settings.seller_name, settings.seller_address, settings.seller_vat_id)
        if settings.is_production and not (seller.address and seller.vat_id):
            logger.warning("receipts do not name who charges: NIMROD_SELLER_ADDRESS or NIMROD_SELLER_VAT_ID is not set")
        self._printer = ReceiptPrinter(seller)
        self._throttle = MinuteThrottle(PER_MINUTE, redis_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            response = await self._answer(request)
        except errors.DomainError as error:
            response = _refused(error)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response(status_code=405, headers={**_HEADERS, "Allow": "GET, HEAD"})
        if wait := await self._throttle.hit(f"receipt:{request.client.host if request.client else ''}"):
            raise errors.TooManyTries(wait)
        document = await receipts.open_document(request.app.state.runtime, request.path_params["token"])
        shown = {"Content-Disposition": f'inline; filename="{document.receipt.number}.pdf"'}
        return Response(await self._printer.print(document), headers={**_HEADERS, **shown}, media_type="application/pdf")


def _refused(error: errors.DomainError) -> Response:
    """In the shape of the GraphQL endpoint, whatever was wrong with the link."""
    status, code = _STATUS.get(type(error), (400, "BAD_USER_INPUT"))
    headers = dict(_HEADERS)
    if isinstance(error, errors.TooManyTries):
        headers["Retry-After"] = str(error.retry_after_seconds)
    body = {"errors": [{"message": error.message, "extensions": {"code": code}}]}
    return Response(orjson.dumps(body), status, headers, "application/json")
