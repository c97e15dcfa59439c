"""Receipts, as riders and staff read them, and links to their PDFs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from domain import errors, ids, receipt_documents, receipts
from domain.seals import Purpose
from resolvers import paging
from resolvers.context import Ctx, Runtime
from resolvers.paging import Page

LINK_GOOD_FOR = timedelta(hours=1)


async def find_receipt(ctx: Ctx, receipt_id: UUID) -> receipts.Receipt | None:
    async with ctx.runtime.reading() as session:
        try:
            return await receipts.get_receipt(session, ctx.who, receipt_id)
        except errors.NotFound:
            return None


async def load_receipts(ctx: Ctx, receipt_ids: Sequence[UUID]) -> list[receipts.Receipt | None]:
    """For a data loader: one query for all that a list shows."""
    async with ctx.runtime.reading() as session:
        found = await receipts.find_receipts(session, ctx.who, receipt_ids)
    return [found.get(receipt_id) for receipt_id in receipt_ids]


async def list_receipts(
    ctx: Ctx, *, customer_id: str | None = None, metro_id: str | None = None, first: int, after: str | None
) -> Page[receipts.Receipt]:
    """Latest first. Riders see their own, staff those of their metros."""
    customer = None if customer_id is None else ids.decode(customer_id, ids.CUSTOMER, path="customerId")
    metro = None if metro_id is None else ids.decode(metro_id, ids.METRO, path="metroId")
    before, limit = paging.uuid_after(after, ctx.runtime.cursors), paging.check_first(first) + 1
    async with ctx.runtime.reading() as session:
        found = await receipts.list_receipts(session, ctx.who, customer_id=customer, metro_id=metro, before=before, limit=limit)
    return paging.page_of(found, first, after, ctx.runtime.cursors, lambda row: row.id.bytes)


def pdf_url(ctx: Ctx, receipt_id: UUID) -> str:
    """The link is the permission, for an hour. That in the mail about the receipt does not run out."""
    until = ctx.runtime.clock.now() + LINK_GOOD_FOR
    return f"{ctx.runtime.public_url}/receipts/{ctx.runtime.seals.seal_until(Purpose.RECEIPT_PDF, receipt_id, until)}.pdf"


async def open_document(runtime: Runtime, token: str) -> receipt_documents.Document:
    """The receipt behind a link. Raises NotFound, LinkExpired."""
    receipt_id = _opened(runtime, token)
    async with runtime.reading() as session:
        document = await receipt_documents.find_document(session, receipt_id)
    if document is None:
        raise errors.NotFound("There is no such receipt.", path="token")
    return document


def _opened(runtime: Runtime, token: str) -> UUID:
    with suppress(errors.LinkExpired):
        # Of a mail: no until.
        return runtime.seals.open(Purpose.RECEIPT_PDF, token)
    try:
        receipt_id, until = runtime.seals.open_until(Purpose.RECEIPT_PDF, token)
    except errors.LinkExpired as error:
        raise errors.NotFound("There is no such receipt.", path="token") from error
    if until <= runtime.clock.now():
        raise errors.LinkExpired(path="token")
    return receipt_id
