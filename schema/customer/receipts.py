"""A rider's own receipts."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain import ids
from resolvers import receipts
from schema import access
from schema.connections import After, Connection, First, connection
from schema.types.receipts import Receipt

ReceiptId = Annotated[strawberry.ID, strawberry.argument(description="The receipt.")]


@strawberry.type
class ReceiptQueries:
    @access.query(access.RIDERS, "The rider's own receipts and credit notes, the latest first.")
    async def receipts(self, info: strawberry.Info, first: First = 20, after: After = None) -> Connection[Receipt]:
        return connection(await receipts.list_receipts(info.context, first=first, after=after), Receipt.of)

    @access.query(access.RIDERS, "One of the rider's own receipts; null when there is none with that id.")
    async def receipt(self, info: strawberry.Info, id: ReceiptId) -> Receipt | None:
        row = await receipts.find_receipt(info.context, ids.decode(id, ids.RECEIPT))
        return None if row is None else Receipt.of(row)
