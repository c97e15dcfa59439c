"""What a ride costs is in the books when the ride is over, with its fines and what shows why."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.database import SessionFactory
from domain import tables
from domain.tables import FineKind, LineKind
from domain.values import Money, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import HOUR, new_vehicle, reserve
from tests.domain.conftest import City

MINUTE = timedelta(minutes=1)


async def ride(sessions: SessionFactory, city: City, now: datetime, vehicle: UUID, length: timedelta, **returned: Any) -> UUID:
    """There and back, and all with the answers of the lock at once."""
    ends_at = returned.pop("ends_at", None)
    trip = await rides.ride(sessions, city.rider, vehicle, now, ends_at=ends_at)
    assert await rides.give_back(sessions, city.rider, trip.id, now + length, **returned) is None
    await rides.answer(sessions, vehicle, now + length)
    return trip.id


async def lines(sessions: SessionFactory, trip_id: UUID) -> dict[LineKind, int]:
    rows = tables.ReceiptLine
    query = select(rows.kind, rows.amount_minor).join(tables.Receipt, tables.Receipt.id == rows.receipt_id)
    async with sessions() as session:
        found = await session.execute(query.where(tables.Receipt.trip_id == trip_id))
        return {row.kind: row.amount_minor for row in found}


async def fines(sessions: SessionFactory, trip_id: UUID) -> list[tables.Fine]:
    async with sessions() as session:
        query = select(tables.Fine).where(tables.Fine.trip_id == trip_id).order_by(tables.Fine.kind)
        return list((await session.execute(query)).scalars())


async def test_who_reserved_pays_for_it_by_the_version_that_was_quoted(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, version=2, reservation_minor=50)
    await reserve(session_factory, city.rider, bike, now)
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, version=3, reservation_minor=5000, unlock_minor=5000)
    trip_id = await ride(session_factory, city, now, bike, 10 * MINUTE)
    assert await lines(session_factory, trip_id) == {
        LineKind.UNLOCK: 100,
        LineKind.RESERVATION: 50,
        LineKind.RIDING: 190,
    }


@pytest.mark.parametrize(("minutes_late", "is_fined"), [(10, False), (11, True)])
async def test_who_is_later_than_the_grace_is_fined_with_what_shows_why(
    session_factory: SessionFactory, city: City, clock: FixedClock, minutes_late: int, is_fined: bool
) -> None:
    now, car = clock.now(), await new_vehicle(session_factory, city, VehicleType.CAR)
    async with session_factory.begin() as session:
        await factories.add_station(session, city.metro)
        await factories.add_tariff(session, city.metro, VehicleType.CAR, version=2, late_fine_minor=2000)
    length = HOUR + minutes_late * MINUTE
    trip_id = await ride(session_factory, city, now, car, length, ends_at=now + HOUR)
    assert (LineKind.LATE_RETURN in await lines(session_factory, trip_id)) is is_fined
    found = await fines(session_factory, trip_id)
    assert len(found) == is_fined
    for fine in found:
        assert (fine.kind, fine.amount_minor) == (FineKind.LATE_RETURN, 2000)
        assert fine.evidence["dueAt"] == (now + HOUR).isoformat()
        assert fine.evidence["endedAt"] == (now + length).isoformat()


async def test_a_wrong_place_is_fined_with_the_photo_and_what_spoke_against_it(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        await factories.add_zone(session, city.metro)
        await factories.add_tariff(session, city.metro, version=2, wrong_place_fine_minor=2500)
    trip_id = await ride(session_factory, city, now, bike, MINUTE, accepted_fine=Money(2500, "EUR"))
    (fine,) = await fines(session_factory, trip_id)
    assert (fine.kind, fine.amount_minor, fine.photo_id is None) == (FineKind.WRONG_PLACE, 2500, False)
    assert fine.evidence["refusals"] == ["no_parking_zone"]
    assert (fine.evidence["lat"], fine.evidence["lon"]) == (factories.CENTER.lat, factories.CENTER.lon)
