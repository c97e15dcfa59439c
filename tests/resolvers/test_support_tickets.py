"""A fault is reported once a key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.database import SessionFactory
from domain import errors, ids, tables
from domain.actor import Actor
from domain.support_tickets import Fault
from domain.tables import SupportPriority, SupportType
from resolvers import support_tickets
from tests import factories
from tests.conftest import FixedClock
from tests.domain import conftest
from tests.domain.conftest import City
from tests.resolvers.front import asking, runtime_of

city = conftest.city


async def test_a_repeated_key_reports_a_fault_once(
    session_factory: SessionFactory,
    city: City,
    clock: FixedClock,
) -> None:
    runtime = runtime_of(session_factory, clock)
    async with session_factory.begin() as session:
        bike = await factories.add_vehicle(session, city.metro)
    named, who = ids.encode(ids.VEHICLE, bike.published_id), city.rider

    async def report(by: Actor = who, key: str = "once", **given: Any) -> UUID:
        fault = Fault(SupportType.NOT_CLEAN, SupportPriority.DISTURBING_ISSUE, position=factories.CENTER, **given)
        ctx = asking(runtime, by)
        return (await support_tickets.report_fault(ctx, fault, trip_id=None, vehicle_id=named, idempotency_key=key)).id

    first = await report()
    assert await report() == first
    with pytest.raises(errors.IdempotencyConflict):
        await report(comment="Mud.")
    for number in range(4):
        await report(key=f"again-{number}")
    with pytest.raises(errors.TooManyTries):
        await report(key="too often")
    assert await report() == first, "what was done is told, also when no more may be done"
    async with session_factory() as session:
        assert (await session.execute(select(func.count()).select_from(tables.SupportTicket))).scalar_one() == 5
    fault = Fault(SupportType.NOT_CLEAN, SupportPriority.QUESTION)
    with pytest.raises(errors.InvalidInput, match="one of vehicleId and tripId"):
        await support_tickets.report_fault(asking(runtime, who), fault, trip_id=None, vehicle_id=None, idempotency_key="x")
