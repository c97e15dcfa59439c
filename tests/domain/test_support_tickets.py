"""A fault is reported by whom it concerns, and what cannot be ridden goes out of service, once nobody rides it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.database import SessionFactory
from domain import errors, ids, support_tickets, tables
from domain.actor import Actor, Role
from domain.fleet import VehicleRef
from domain.support_tickets import Fault
from domain.tables import PhotoPurpose, PhotoState, SupportPriority, SupportState, SupportType
from domain.values import CancelCause, LatLng, NotificationKind, ReservationState, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import HOUR, cancel, kinds, new_vehicle, notified, reserve, state_of
from tests.domain.conftest import City

BROKEN = Fault(SupportType.BROKEN_DOWN, SupportPriority.ERROR_CANNOT_CONTINUE)
SQUEAKS = Fault(SupportType.REPORT_DAMAGE, SupportPriority.ERROR_CAN_CONTINUE)
DIRTY = Fault(SupportType.NOT_CLEAN, SupportPriority.DISTURBING_ISSUE)
BESIDE = LatLng(factories.CENTER.lat + 0.0015, factories.CENTER.lon)
AWAY = LatLng(factories.CENTER.lat + 0.002, factories.CENTER.lon)


def at(fault: Fault, position: LatLng | None, **given: Any) -> Fault:
    said = {"support_type": fault.support_type, "priority": fault.priority, "position": position}
    return Fault(**{**said, **given})


async def report(
    session_factory: SessionFactory,
    who: Actor,
    fault: Fault,
    clock: FixedClock,
    vehicle_id: UUID | None = None,
    trip_id: UUID | None = None,
) -> support_tickets.SupportTicket:
    ticket_id = ids.new()
    vehicle = None if vehicle_id is None else VehicleRef(vehicle_id, published=False)
    async with session_factory.begin() as session:
        given: dict[str, Any] = {"trip_id": trip_id, "vehicle": vehicle, "ticket_id": ticket_id, "now": clock.now()}
        await support_tickets.report_fault(session, who, fault, **given)
        return await support_tickets.get_support_ticket(session, who, ticket_id)


async def riding(
    session_factory: SessionFactory, city: City, clock: FixedClock, state: tables.TripState = tables.TripState.IN_USE
) -> tables.Trip:
    """The rider, on a bike."""
    is_open = state is tables.TripState.IN_USE
    async with session_factory.begin() as session:
        bike = await factories.add_vehicle(session, city.metro, state=VehicleState.ON_TRIP if is_open else VehicleState.AVAILABLE)
        tariff, started = city.tariffs[VehicleType.BICYCLE], clock.now() - HOUR
        return await factories.add_trip(session, bike, tariff, city.rider.account_id, state=state, started_at=started)


async def test_what_cannot_be_ridden_goes_out_of_service_at_once_and_its_next_rider_hears_of_it(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        passer_by = await factories.add_rider(session)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    ticket = await report(session_factory, passer_by, at(BROKEN, BESIDE), clock, bike)
    assert (ticket.state, ticket.withdrew_vehicle) == (SupportState.ISSUE_OPEN, True)
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL
    async with session_factory() as session:
        row = await session.get_one(tables.Reservation, held.id)
        assert (await session.execute(select(support_tickets.has_withdrawn(bike)))).scalar_one()
    assert (row.state, row.cancel_cause) == (ReservationState.CANCELLED, CancelCause.VEHICLE_WITHDRAWN)
    assert [one.kind for one in await notified(session_factory, city.rider)] == [NotificationKind.VEHICLE_WITHDRAWN]
    assert (await kinds(session_factory, city))[-2:] == ["vehicle.changed", "reservation.cancelled"]


async def test_a_vehicle_that_is_ridden_goes_out_of_service_with_the_end_of_its_trip(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    trip = await riding(session_factory, city, clock)
    ticket = await report(session_factory, city.rider, BROKEN, clock, trip_id=trip.id)
    assert (ticket.trip_id, ticket.vehicle.id, ticket.withdrew_vehicle) == (trip.id, trip.vehicle_id, True)
    assert await state_of(session_factory, trip.vehicle_id) is VehicleState.ON_TRIP
    async with session_factory() as session:
        assert (await session.execute(select(support_tickets.has_withdrawn(trip.vehicle_id)))).scalar_one()


async def test_two_riders_within_a_day_who_say_that_it_is_broken_take_it_out_of_service_and_one_does_not(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        second, third = await factories.add_rider(session), await factories.add_rider(session)
    for who in (city.rider, city.rider):
        assert not (await report(session_factory, who, at(SQUEAKS, BESIDE), clock, bike)).withdrew_vehicle
    clock.advance(hours=24)
    assert not (await report(session_factory, second, at(SQUEAKS, BESIDE), clock, bike)).withdrew_vehicle, "a day later"
    assert not (await report(session_factory, third, at(DIRTY, BESIDE), clock, bike)).withdrew_vehicle
    assert await state_of(session_factory, bike) is VehicleState.AVAILABLE
    assert (await report(session_factory, third, at(SQUEAKS, BESIDE), clock, bike)).withdrew_vehicle
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL


async def test_of_two_who_report_at_once_one_is_the_second(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    both = [report(session_factory, who, at(SQUEAKS, BESIDE), clock, bike) for who in (city.rider, other)]
    assert sorted([ticket.withdrew_vehicle for ticket in await asyncio.gather(*both)]) == [False, True]
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL


async def test_a_stranger_reports_from_beside_the_vehicle_alone(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    for position in (None, AWAY):
        with pytest.raises(errors.InvalidInput, match="within 200 m") as refusal:
            await report(session_factory, city.rider, at(DIRTY, position), clock, bike)
        assert refusal.value.path == ["position"]
    await report(session_factory, city.rider, at(DIRTY, BESIDE), clock, bike)


async def test_nobody_finds_out_by_reporting_where_somebody_rides(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    trip = await riding(session_factory, city, clock)
    async with session_factory.begin() as session:
        stranger = await factories.add_rider(session)
    with pytest.raises(errors.InvalidInput, match="within 200 m"):
        await report(session_factory, stranger, at(BROKEN, factories.CENTER), clock, trip.vehicle_id)


async def test_who_has_or_had_it_within_a_day_reports_from_anywhere(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    ridden = await riding(session_factory, city, clock, tables.TripState.ENDED)
    held = await new_vehicle(session_factory, city)
    await reserve(session_factory, city.rider, held, clock.now())
    given_up = await new_vehicle(session_factory, city, VehicleType.CAR)
    booked = await reserve(
        session_factory, city.rider, given_up, clock.now(), starts_at=clock.now() + HOUR, ends_at=clock.now() + 2 * HOUR
    )
    await cancel(session_factory, city.rider, booked.id, clock.now())
    for vehicle_id in (ridden.vehicle_id, held):
        await report(session_factory, city.rider, DIRTY, clock, vehicle_id)
    with pytest.raises(errors.InvalidInput, match="within 200 m"):
        await report(session_factory, city.rider, DIRTY, clock, given_up)
    clock.advance(hours=24)
    with pytest.raises(errors.InvalidInput, match="within 200 m"):
        await report(session_factory, city.rider, DIRTY, clock, ridden.vehicle_id)
    await report(session_factory, city.rider, DIRTY, clock, trip_id=ridden.id)


async def test_the_id_that_the_rider_was_shown_names_the_vehicle_after_it_was_renewed(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    trip = await riding(session_factory, city, clock, tables.TripState.ENDED)
    async with session_factory.begin() as session:
        stranger, was = await factories.add_rider(session), trip.published_vehicle_id
        renewed = update(tables.Vehicle).where(tables.Vehicle.id == trip.vehicle_id)
        await session.execute(renewed.values(published_id=ids.new()))

    async def by_old_id(who: Actor) -> None:
        async with session_factory.begin() as session:
            ref = VehicleRef(was, published=True)
            await support_tickets.report_fault(session, who, DIRTY, vehicle=ref, ticket_id=ids.new(), now=clock.now())

    await by_old_id(city.rider)
    with pytest.raises(errors.NotFound):
        await by_old_id(stranger)


async def test_a_rider_reports_five_times_a_day_also_at_once(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    tries = [report(session_factory, city.rider, at(DIRTY, BESIDE), clock, bike) for _ in range(7)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    refused = [one for one in found if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [errors.TooManyTries] * 2
    clock.advance(hours=23)
    with pytest.raises(errors.TooManyTries) as refusal:
        await report(session_factory, city.rider, at(DIRTY, BESIDE), clock, bike)
    assert refusal.value.retry_after_seconds == timedelta(hours=1).total_seconds()
    clock.advance(hours=1)
    await report(session_factory, city.rider, at(DIRTY, BESIDE), clock, bike)


async def test_a_photo_shows_one_fault_of_its_rider(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)

    async def photo(who: Actor) -> UUID:
        async with session_factory.begin() as session:
            added = await factories.add_photo(session, who.account_id, purpose=PhotoPurpose.FAULT, state=PhotoState.STORED)
            return added.id

    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    own, foreign = await photo(city.rider), await photo(other)
    with pytest.raises(errors.NotFound):
        await report(session_factory, city.rider, at(BROKEN, BESIDE, photo_id=foreign), clock, bike)
    ticket = await report(session_factory, city.rider, at(BROKEN, BESIDE, photo_id=own), clock, bike)
    assert ticket.photo_id == own
    with pytest.raises(errors.InvalidInput):
        await report(session_factory, city.rider, at(DIRTY, BESIDE, photo_id=own), clock, bike)
    async with session_factory() as session:
        assert (await session.execute(select(func.count()).select_from(tables.SupportTicket))).scalar_one() == 1


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"comment": "x" * 1001}, "comment"),
        ({"comment": "\0"}, "comment"),
        ({"support_type": SupportType.OTHER, "comment": " "}, "comment"),
        ({"damaged_parts": (tables.DamagedPart.TIRE, tables.DamagedPart.TIRE)}, "damagedParts"),
    ],
)
def test_what_is_said_is_checked_before_anything_is_looked_up(given: dict[str, Any], path: str) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        at(DIRTY, None, **given).check()
    assert [issue.path for issue in refusal.value.issues] == [path]


async def test_closing_a_ticket_leaves_the_vehicle_as_it_is_and_the_other_word_corrects_it(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    ticket = await report(session_factory, city.rider, at(BROKEN, BESIDE), clock, bike)
    async with session_factory.begin() as session:
        stranger = await factories.add_member(session, Role.TECHNICIAN, await factories.add_metro(session))

    async def close(state: SupportState, who: Actor = city.dispatcher) -> support_tickets.SupportTicket:
        async with session_factory.begin() as session:
            given: dict[str, Any] = {"ticket_id": ticket.id, "state": state, "now": clock.now()}
            await support_tickets.resolve_support_ticket(session, who, **given)
            return await support_tickets.get_support_ticket(session, who, ticket.id)

    with pytest.raises(errors.InvalidInput):
        await close(SupportState.ISSUE_OPEN)
    with pytest.raises(errors.NotFound):
        await close(SupportState.ISSUE_RESOLVED, stranger)
    first = await close(SupportState.ISSUE_RESOLVED)
    clock.advance(hours=1)
    assert await close(SupportState.ISSUE_RESOLVED) == first, "again it changes nothing"
    assert (await close(SupportState.ISSUE_REVOKED)).closed_at == clock.now()
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL
    async with session_factory() as session:
        assert not (await session.execute(select(support_tickets.has_withdrawn(bike)))).scalar_one()


async def test_riders_see_their_own_tickets_and_staff_those_of_their_metros(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike, other_bike = await new_vehicle(session_factory, city), await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
        stranger = await factories.add_member(session, Role.DISPATCHER, await factories.add_metro(session))
    own = await report(session_factory, city.rider, at(DIRTY, BESIDE), clock, bike)
    foreign = await report(session_factory, other, at(DIRTY, BESIDE), clock, other_bike)

    async def listed(who: Actor, **given: Any) -> list[UUID]:
        async with session_factory() as session:
            return [row.id for row in await support_tickets.list_support_tickets(session, who, before=None, limit=9, **given)]

    assert await listed(city.rider) == [own.id]
    assert await listed(city.dispatcher, metro_id=city.metro.id) == [foreign.id, own.id]
    assert await listed(city.dispatcher, vehicle_id=bike, state=SupportState.ISSUE_OPEN) == [own.id]
    assert await listed(city.dispatcher, state=SupportState.ISSUE_RESOLVED) == []
    assert await listed(stranger) == []
    async with session_factory() as session:
        assert await support_tickets.find_support_ticket(session, city.rider, foreign.id) is None
