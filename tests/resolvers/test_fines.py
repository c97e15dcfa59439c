"""Appeals are made and decided once a key, and paged by who waits longest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.database import SessionFactory
from domain import errors, ids, tables
from domain.tables import FineKind, FineState
from domain.values import VehicleType
from resolvers import fines
from resolvers.context import Runtime
from tests import factories
from tests.conftest import FixedClock
from tests.domain import conftest
from tests.domain.conftest import City
from tests.resolvers.front import asking, runtime_of

city = conftest.city


@pytest.fixture
def runtime(session_factory: SessionFactory, clock: FixedClock) -> Runtime:
    return runtime_of(session_factory, clock)


async def fined(session_factory: SessionFactory, place: City, clock: FixedClock, **given: Any) -> UUID:
    """A fine with its receipt, which has the line."""
    async with session_factory.begin() as session:
        bike = await factories.add_vehicle(session, place.metro)
        trip = await factories.add_trip(session, bike, place.tariffs[VehicleType.BICYCLE], place.rider.account_id)
        receipt = await factories.add_receipt(session, place.metro, place.rider.account_id, trip_id=trip.id)
        session.add(
            tables.ReceiptLine(
                receipt_id=receipt.id,
                position=1,
                kind=tables.LineKind.LATE_RETURN,
                category=tables.ChargeCategory.FINE,
                quantity=1,
                unit_minor=1200,
                amount_minor=1200,
                vat_treatment=tables.VatTreatment.OUT_OF_SCOPE,
                vat_percent=0,
            )
        )
        columns: dict[str, Any] = {
            "trip_id": trip.id,
            "customer_id": place.rider.account_id,
            "metro_id": place.metro.id,
            "receipt_id": receipt.id,
            "kind": FineKind.LATE_RETURN,
            "amount_minor": 1200,
            "currency": "EUR",
            "state": FineState.ISSUED,
            "evidence": {},
            "issued_at": clock.now(),
            "appeal_until": clock.now() + timedelta(days=14),
        }
        row = tables.Fine(id=ids.new(), **{**columns, **given})
        session.add(row)
        return row.id


async def count(session_factory: SessionFactory, table: type[tables.Base]) -> int:
    async with session_factory() as session:
        return (await session.execute(select(func.count()).select_from(table))).scalar_one()


async def test_a_repeated_key_appeals_and_decides_once_and_with_other_input_not_at_all(
    session_factory: SessionFactory,
    runtime: Runtime,
    city: City,
    clock: FixedClock,
) -> None:
    fine_id = await fined(session_factory, city, clock)
    rider, staff = asking(runtime, city.rider), asking(runtime, city.dispatcher)

    async def appeal(text: str) -> FineState:
        named = ids.encode(ids.FINE, fine_id)
        return (await fines.appeal_fine(rider, fine_id=named, text=text, idempotency_key="once")).state

    async def decide(reason: str) -> FineState:
        given: dict[str, Any] = {"fine_id": ids.encode(ids.OPS_FINE, fine_id), "state": FineState.WAIVED, "reason": reason}
        return (await fines.decide_appeal(staff, **given, idempotency_key="once")).state

    assert [await appeal("Why?"), await appeal("Why?")] == [FineState.APPEALED] * 2
    with pytest.raises(errors.IdempotencyConflict):
        await appeal("But why?")
    assert [await decide("So be it."), await decide("So be it.")] == [FineState.WAIVED] * 2
    with pytest.raises(errors.IdempotencyConflict):
        await decide("Because.")
    assert await count(session_factory, tables.Receipt) == 2, "one credit note"
    assert await appeal("Why?") is FineState.WAIVED, "the same key tells what became of it"


async def test_appeals_are_paged_by_who_waits_longest(
    session_factory: SessionFactory,
    runtime: Runtime,
    city: City,
    clock: FixedClock,
) -> None:
    waiting = []
    for minutes in (1, 3, 3, 2):
        at = clock.now() - timedelta(minutes=minutes, microseconds=7)
        given: dict[str, Any] = {"state": FineState.APPEALED, "appealed_at": at, "appeal_text": "Why?"}
        waiting.append(await fined(session_factory, city, clock, **given))
    last, first, second, third = waiting
    staff, after, seen = asking(runtime, city.dispatcher), None, []
    while True:
        page = await fines.list_appealed_fines(staff, metro_id=None, first=1, after=after)
        seen += [row.id for row in page.items]
        if not page.has_next:
            break
        after = page.cursors[-1]
    assert seen == [first, second, third, last]
    other = await fines.list_fines(asking(runtime, city.rider), first=1, after=None)
    with pytest.raises(errors.InvalidInput, match="another list"):
        await fines.list_appealed_fines(staff, metro_id=None, first=1, after=other.cursors[0])
