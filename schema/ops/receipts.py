"""Receipts of any rider, as staff look them up."""

from __future__ import annotations

from typing import Annotated

import strawberry

from resolvers import receipts
from schema import access
from schema.connections import After, Connection, First, connection
from schema.types.receipts import OpsReceipt


@strawberry.type
class OpsReceiptQueries:
    @access.query(access.DISPATCHERS, "Receipts and credit notes of the metros that the asker works in, the latest first.")
    async def receipts(
        self,
        info: strawberry.Info,
        customer_id: Annotated[strawberry.ID | None, strawberry.argument(description="Of this rider.")] = None,
        metro_id: Annotated[strawberry.ID | None, strawberry.argument(description="Of this metro.")] = None,
        first: First = 20,
        after: After = None,
    ) -> Connection[OpsReceipt]:
        page = await receipts.list_receipts(info.context, customer_id=customer_id, metro_id=metro_id, first=first, after=after)
        return connection(page, OpsReceipt.of)
