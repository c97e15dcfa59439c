"""A trip begins at the vehicle, for who may ride it, and costs from the lock's answer on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from app.database import SessionFactory
from domain import errors, eventlog, fleet, ids, tables, unlocks
from domain.tables import TripEnd, TripState, TripStep
from domain.values import CancelCause, LatLng, ReservationState, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import HOUR, new_vehicle, reserve, state_of
from tests.domain.bookings import sweep as sweep_reservations
from tests.domain.conftest import City

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.mark.parametrize("kind", list(VehicleType))
async def test_who_walks_up_rides_from_the_locks_answer_on(
    session_factory: SessionFactory, city: City, clock: FixedClock, kind: VehicleType
) -> None:
    now, vehicle = clock.now(), await new_vehicle(session_factory, city, kind)
    asked = await rides.unlock(session_factory, city.rider, vehicle, now, ends_at=rides.until(kind, now))
    assert (asked.state, asked.awaits, asked.started_at, asked.is_walk_up) == (TripState.PREPARING, TripStep.UNLOCK, None, True)
    assert await state_of(session_factory, vehicle) is VehicleState.RESERVED
    assert await rides.asked(session_factory, vehicle) == [("unlock", "queued")]
    await rides.answer(session_factory, vehicle, now + 4 * SECOND)
    begun = await rides.read(session_factory, city.rider, asked.id)
    assert (begun.state, begun.awaits, begun.started_at) == (TripState.IN_USE, None, now + 4 * SECOND)
    assert begun.due_at == (now + 4 * SECOND + 12 * HOUR if kind.is_micromobility else now + 2 * HOUR)
    assert await state_of(session_factory, vehicle) is VehicleState.ON_TRIP
    reservation = await rides.reservation_row(session_factory, begun.reservation_id)
    assert (reservation.state, reservation.tariff_id) == (ReservationState.STARTED, city.tariffs[kind].id)


async def test_both_sides_are_told_of_a_trip_and_riders_less(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    begun = await rides.ride(session_factory, city.rider, bike, clock.now())
    for topic, own in (
        (eventlog.rider_topic(city.rider.account_id), {"publishedVehicleId"}),
        (eventlog.dispatch_topic(city.metro.id), {"customerId", "vehicleId", "plate"}),
    ):
        first, last = await rides.told(session_factory, topic)
        assert (first["state"], first["awaits"], first["dueAt"]) == ("preparing", "unlock", None)
        assert (last["state"], last["awaits"], last["startedAt"]) == ("in_use", None, clock.now().isoformat())
        assert last["tripId"] == str(begun.id)
        assert {"publishedVehicleId", "customerId", "vehicleId", "plate"} & set(last) == own


async def test_a_hold_begins_before_its_start_and_keeps_the_tariff_that_it_was_quoted(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, now, starts_at=now + 20 * MINUTE)
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, version=2, unlock_minor=900)
    begun = await rides.unlock(session_factory, city.rider, bike, now + MINUTE)
    assert (begun.reservation_id, begun.is_walk_up, begun.tariff.version) == (held.id, False, 1)
    row = await rides.reservation_row(session_factory, held.id)
    assert (row.state, row.blocked.lower) == (ReservationState.STARTED, now + MINUTE)


async def test_riders_name_a_vehicle_by_the_id_under_which_they_reserved_it(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, bike = clock.now(), await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, now)
    async with session_factory.begin() as session:
        (await session.get_one(tables.Vehicle, bike)).published_id = ids.new()
    await rides.give_card(session_factory, city.rider)
    old = fleet.VehicleRef(held.published_vehicle_id, published=True)
    async with session_factory.begin() as session:
        begun = await unlocks.unlock_vehicle(
            session, city.rider, vehicle=old, position=factories.CENTER, trip_id=ids.new(), now=now
        )
    assert (begun.vehicle.id, begun.published_vehicle_id) == (bike, held.published_vehicle_id)


async def test_a_booking_begins_at_its_start_and_not_before(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, car = clock.now(), await new_vehicle(session_factory, city, VehicleType.CAR)
    booked = await reserve(session_factory, city.rider, car, now, starts_at=now + HOUR, ends_at=now + 3 * HOUR)
    with pytest.raises(errors.InvalidInput, match="begins at"):
        await rides.unlock(session_factory, city.rider, car, now, reservation_id=booked.id)
    begun = await rides.unlock(session_factory, city.rider, car, now + HOUR)
    assert (begun.reservation_id, begun.due_at) == (booked.id, now + 3 * HOUR)


async def test_a_tag_stands_for_being_there(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        bike = (await factories.add_vehicle(session, city.metro, nfc_token="tag-1")).id
    with pytest.raises(errors.NotFound) as refusal:
        await rides.unlock(session_factory, city.rider, None, clock.now(), nfc_token="tag-2", position=None)
    assert refusal.value.path == ["nfcToken"]
    begun = await rides.unlock(session_factory, city.rider, None, clock.now(), nfc_token="tag-1", position=None)
    assert begun.vehicle.id == bike


@pytest.mark.parametrize(("position", "words"), [(None, "where you are"), (LatLng(49.4046, 8.6757), "more than 100 m away")])
async def test_by_its_id_a_vehicle_opens_only_for_who_is_near(
    session_factory: SessionFactory, city: City, clock: FixedClock, position: LatLng | None, words: str
) -> None:
    bike = await new_vehicle(session_factory, city)
    with pytest.raises(errors.InvalidInput, match=words) as refusal:
        await rides.unlock(session_factory, city.rider, bike, clock.now(), position=position)
    assert refusal.value.path == ["position"]


async def test_a_vehicle_is_named_one_way(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    for vehicle, tag in ((bike, "tag"), (None, None)):
        with pytest.raises(errors.InvalidInput, match="one of them"):
            await rides.unlock(session_factory, city.rider, vehicle, clock.now(), nfc_token=tag)


async def test_a_rider_has_one_trip_at_a_time(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike, other = [await new_vehicle(session_factory, city) for _ in range(2)]
    begun = await rides.unlock(session_factory, city.rider, bike, clock.now())
    with pytest.raises(errors.TripOpen) as refusal:
        await rides.unlock(session_factory, city.rider, other, clock.now())
    assert refusal.value.trip_id == begun.id


@pytest.mark.parametrize("state", [state for state in VehicleState if state is not VehicleState.AVAILABLE])
async def test_nobody_unlocks_what_does_not_stand_ready(
    session_factory: SessionFactory, city: City, clock: FixedClock, state: VehicleState
) -> None:
    bike = await new_vehicle(session_factory, city, state=state)
    with pytest.raises(errors.VehicleUnavailable) as refusal:
        await rides.unlock(session_factory, city.rider, bike, clock.now())
    assert refusal.value.quote.vehicle.id == bike


async def test_no_ride_starts_where_a_zone_forbids_it(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        metro = await session.get_one(tables.Metro, city.metro.id)
        await factories.add_zone(session, metro, "Elsewhere", geometry=factories.square(LatLng(0, 0)), ride_start_allowed=False)
        zone = await factories.add_zone(session, metro, "Fair", ride_start_allowed=False)
    with pytest.raises(errors.VehicleUnavailable, match="No ride may start in Fair"):
        await rides.unlock(session_factory, city.rider, bike, clock.now())
    async with session_factory.begin() as session:
        await session.delete(await session.get_one(tables.Zone, zone.id))
    assert (await rides.unlock(session_factory, city.rider, bike, clock.now())).state is TripState.PREPARING


async def test_what_somebody_else_holds_is_theirs(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    held = await reserve(session_factory, other, bike, clock.now())
    with pytest.raises(errors.VehicleUnavailable, match="Somebody else has reserved"):
        await rides.unlock(session_factory, city.rider, bike, clock.now())
    with pytest.raises(errors.NotFound) as refusal:
        await rides.unlock(session_factory, city.rider, bike, clock.now(), reservation_id=held.id)
    assert refusal.value.path == ["reservationId"]


async def test_a_hold_that_has_lapsed_does_not_begin(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    with pytest.raises(errors.ReservationClosed, match="over and cannot begin"):
        await rides.unlock(session_factory, city.rider, bike, clock.now() + 15 * MINUTE, reservation_id=held.id)


async def test_cars_and_vans_need_a_licence_and_an_end(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    now, car = clock.now(), await new_vehicle(session_factory, city, VehicleType.CAR)
    async with session_factory.begin() as session:
        newcomer = await factories.add_rider(session, has_licence=False)
    with pytest.raises(errors.DrivingLicenceRequired):
        await rides.unlock(session_factory, newcomer, car, now, ends_at=now + HOUR)
    with pytest.raises(errors.InvalidInput, match="give endsAt"):
        await rides.unlock(session_factory, city.rider, car, now)


async def test_a_lock_that_says_no_charges_nothing_and_frees_what_was_walked_up_to(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    asked = await rides.unlock(session_factory, city.rider, bike, clock.now())
    await rides.answer(session_factory, bike, clock.now(), is_done=False)
    over = await rides.read(session_factory, city.rider, asked.id)
    assert (over.state, over.end_cause, over.started_at, over.receipt_id) == (
        TripState.CANCELLED, TripEnd.UNLOCK_FAILED, None, None,
    )  # fmt: skip
    row = await rides.reservation_row(session_factory, over.reservation_id)
    assert (row.state, row.cancel_cause) == (ReservationState.CANCELLED, CancelCause.UNLOCK_FAILED)
    assert await state_of(session_factory, bike) is VehicleState.AVAILABLE


async def test_a_hold_waits_on_for_two_minutes_at_least_when_the_lock_says_no(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    held = await reserve(session_factory, city.rider, bike, clock.now())
    late = clock.now() + 15 * MINUTE - SECOND
    asked = await rides.unlock(session_factory, city.rider, bike, late)
    await sweep_reservations(session_factory, late + 5 * SECOND)
    await rides.answer(session_factory, bike, late + 10 * SECOND, is_done=False)
    row = await rides.reservation_row(session_factory, held.id)
    assert (row.state, row.lapses_at) == (ReservationState.CONFIRMED, late + 10 * SECOND + 2 * MINUTE)
    assert await state_of(session_factory, bike) is VehicleState.RESERVED
    again = await rides.unlock(session_factory, city.rider, bike, late + MINUTE)
    assert (again.reservation_id, again.id != asked.id) == (held.id, True)
