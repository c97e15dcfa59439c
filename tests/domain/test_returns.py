"""A ride ends where its vehicle may be left, in one step with the vehicle, the reservation and the money."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import errors, eventlog, tables, trips
from domain.tables import LockPurpose, PaymentAsk, PaymentState, ReturnRefusal, TripEnd, TripState, TripStep
from domain.values import LatLng, Money, ReservationState, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle, reserve, state_of
from tests.domain.conftest import City

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
#: 500 m from the center
NORTH = LatLng(factories.CENTER.lat + 0.0045, factories.CENTER.lon)


@pytest.fixture
async def station(session_factory: SessionFactory, city: City) -> UUID:
    async with session_factory.begin() as session:
        return (await factories.add_station(session, city.metro, capacity=1)).id


async def began(
    sessions: SessionFactory, city: City, now: datetime, kind: VehicleType = VehicleType.BICYCLE
) -> tuple[UUID, trips.Trip]:
    vehicle = await new_vehicle(sessions, city, kind)
    return vehicle, await rides.ride(sessions, city.rider, vehicle, now, ends_at=rides.until(kind, now))


@pytest.mark.parametrize("kind", list(VehicleType))
async def test_a_return_ends_trip_reservation_and_vehicle_at_once_and_is_charged(
    session_factory: SessionFactory, city: City, clock: FixedClock, station: UUID, kind: VehicleType
) -> None:
    now, end = clock.now(), clock.now() + 8 * MINUTE + SECOND
    vehicle, begun = await began(session_factory, city, now, kind)
    before = await rides.vehicle_row(session_factory, vehicle)
    assert await rides.give_back(session_factory, city.rider, begun.id, end) is None
    assert (await rides.read(session_factory, city.rider, begun.id)).awaits is TripStep.RETURN
    await rides.answer(session_factory, vehicle, end + 3 * SECOND, battery_percent=70, is_plugged_in=True)
    over = await rides.read(session_factory, city.rider, begun.id)
    assert (over.state, over.end_cause, over.ended_at) == (TripState.ENDED, TripEnd.RETURNED, end)
    assert (over.end_station_id, over.end_battery_percent) == (station, 70)
    row = await rides.vehicle_row(session_factory, vehicle)
    assert (row.state, row.station_id) == (VehicleState.AVAILABLE, station)
    assert row.published_id != before.published_id
    assert (await rides.reservation_row(session_factory, begun.reservation_id)).state is ReservationState.ENDED
    receipt = await rides.receipt_of(session_factory, begun.id)
    assert (receipt.id, receipt.total_minor) == (over.receipt_id, 100 + 9 * 19)
    (payment,) = await rides.payments_of(session_factory, city.rider)
    assert (payment.receipt_id, payment.amount_minor, payment.asks) == (receipt.id, receipt.total_minor, PaymentAsk.CHARGE)
    last = (await rides.told(session_factory, eventlog.rider_topic(city.rider.account_id)))[-1]
    assert (last["state"], last["receiptId"], last["endedAt"]) == ("ended", str(receipt.id), end.isoformat())


async def test_the_deposit_is_held_before_the_lock_opens_and_taken_after_the_ride(
    session_factory: SessionFactory, city: City, clock: FixedClock, station: UUID
) -> None:
    now, car = clock.now(), await new_vehicle(session_factory, city, VehicleType.CAR)
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, VehicleType.CAR, version=2, deposit_minor=10_000)
    asked = await rides.unlock(session_factory, city.rider, car, now, ends_at=now + rides.HOUR)
    assert (asked.awaits, await rides.asked(session_factory, car)) == (TripStep.AUTHORIZATION, [])
    async with session_factory.begin() as session:
        (payment,) = [await session.merge(one) for one in await rides.payments_of(session_factory, city.rider)]
        payment.state, payment.asks, payment.next_attempt_at = PaymentState.AUTHORIZED, None, None
        await trips.deposit_decided(session, asked.id, True, now + SECOND)
    assert await rides.asked(session_factory, car) == [("unlock", "queued")]
    await rides.answer(session_factory, car, now + 2 * SECOND)
    await rides.give_back(session_factory, city.rider, asked.id, now + 5 * MINUTE)
    await rides.answer(session_factory, car, now + 5 * MINUTE)
    (payment,) = await rides.payments_of(session_factory, city.rider)
    receipt = await rides.receipt_of(session_factory, asked.id)
    assert (payment.asks, payment.captured_minor, payment.receipt_id) == (PaymentAsk.CAPTURE, receipt.total_minor, receipt.id)


@pytest.mark.parametrize("is_silent", [True, False])
async def test_a_trip_whose_deposit_is_not_held_never_begins(
    session_factory: SessionFactory, city: City, clock: FixedClock, is_silent: bool
) -> None:
    now, car = clock.now(), await new_vehicle(session_factory, city, VehicleType.CAR)
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, VehicleType.CAR, version=2, deposit_minor=10_000)
    asked = await rides.unlock(session_factory, city.rider, car, now, ends_at=now + rides.HOUR)
    if is_silent:
        await rides.sweep(session_factory, now + 2 * MINUTE)
    else:
        async with session_factory.begin() as session:
            await trips.deposit_decided(session, asked.id, False, now)
    over = await rides.read(session_factory, city.rider, asked.id)
    cause = TripEnd.AUTHORIZATION_TIMED_OUT if is_silent else TripEnd.AUTHORIZATION_DECLINED
    assert (over.state, over.end_cause) == (TripState.CANCELLED, cause)
    (payment,) = await rides.payments_of(session_factory, city.rider)
    assert payment.state is PaymentState.CANCELLED
    assert await state_of(session_factory, car) is VehicleState.AVAILABLE
    async with session_factory.begin() as session:
        await trips.deposit_decided(session, asked.id, True, now + 3 * MINUTE)
    assert await rides.asked(session_factory, car) == [], "too late: nothing begins"


async def test_what_went_out_of_service_while_the_bank_was_asked_is_not_opened(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now, car = clock.now(), await new_vehicle(session_factory, city, VehicleType.CAR)
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, VehicleType.CAR, version=2, deposit_minor=10_000)
    asked = await rides.unlock(session_factory, city.rider, car, now, ends_at=now + rides.HOUR)
    async with session_factory.begin() as session:
        (await session.get_one(tables.Vehicle, car)).state = VehicleState.NON_OPERATIONAL
    async with session_factory.begin() as session:
        await trips.deposit_decided(session, asked.id, True, now + SECOND)
    over = await rides.read(session_factory, city.rider, asked.id)
    assert (over.state, over.end_cause) == (TripState.CANCELLED, TripEnd.UNLOCK_FAILED)
    assert await rides.asked(session_factory, car) == []
    assert await state_of(session_factory, car) is VehicleState.NON_OPERATIONAL


async def test_who_has_no_card_rides_nothing(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bike = await new_vehicle(session_factory, city)
    with pytest.raises(errors.PaymentMethodRequired):
        await rides.unlock(session_factory, city.rider, bike, clock.now(), has_card=False)


async def test_a_refused_return_is_written_down_and_says_what_to_do_and_where_to_go(
    session_factory: SessionFactory, city: City, clock: FixedClock, station: UUID
) -> None:
    now = clock.now()
    _, begun = await began(session_factory, city, now, VehicleType.CAR)
    refused = await rides.give_back(session_factory, city.rider, begun.id, now + MINUTE, at=NORTH, has_photo=False)
    assert refused is not None
    assert refused.refusals == (ReturnRefusal.PHOTO_MISSING, ReturnRefusal.NOT_AT_STATION)
    assert "Take a photo" in refused.message
    assert "charging station" in refused.message
    assert (refused.nearest, refused.station.id, refused.fine) == (factories.CENTER, station, None)
    assert await rides.attempts(session_factory, begun.id) == [["photo_missing", "not_at_station"]]
    still = await rides.read(session_factory, city.rider, begun.id)
    assert (still.state, still.awaits) == (TripState.IN_USE, None)


async def test_a_wrong_place_is_left_for_exactly_the_fine_that_was_accepted(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, version=2, wrong_place_fine_minor=2500)
        await factories.add_zone(session, city.metro)
    bike, begun = await began(session_factory, city, now)
    for offered in (None, Money(2499, "EUR"), Money(2500, "CHF")):
        refused = await rides.give_back(session_factory, city.rider, begun.id, now + MINUTE, accepted_fine=offered)
        assert refused is not None
        assert (refused.refusals, refused.fine) == ((ReturnRefusal.NO_PARKING_ZONE,), Money(2500, "EUR"))
        assert refused.nearest is not None
        assert refused.nearest.meters_to(factories.CENTER) < 150
    fine = Money(2500, "EUR")
    assert await rides.give_back(session_factory, city.rider, begun.id, now + MINUTE, accepted_fine=fine) is None
    await rides.answer(session_factory, bike, now + MINUTE)
    receipt = await rides.receipt_of(session_factory, begun.id)
    assert receipt.total_minor == 100 + 19 + 2500


async def test_a_fine_does_not_buy_a_missing_photo(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        await factories.add_zone(session, city.metro)
    _, begun = await began(session_factory, city, clock.now())
    refused = await rides.give_back(
        session_factory, city.rider, begun.id, clock.now(), has_photo=False, accepted_fine=Money(0, "EUR")
    )
    assert refused is not None
    assert refused.fine is None


async def test_nobody_pays_for_a_wrong_place_in_a_right_one(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    _bike, begun = await began(session_factory, city, clock.now())
    fine = Money(2500, "EUR")
    assert await rides.give_back(session_factory, city.rider, begun.id, clock.now(), accepted_fine=fine) is None
    assert (await rides.read(session_factory, city.rider, begun.id)).accepted_fine is None


async def test_a_return_that_passes_later_is_charged_to_the_first_try(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    bike, begun = await began(session_factory, city, now)
    for minutes in (5, 9):
        assert await rides.give_back(session_factory, city.rider, begun.id, now + minutes * MINUTE, has_photo=False)
    await rides.pause(session_factory, city.rider, begun.id, now + 10 * MINUTE)
    await rides.answer(session_factory, bike, now + 10 * MINUTE)
    assert await rides.give_back(session_factory, city.rider, begun.id, now + 12 * MINUTE) is None
    await rides.answer(session_factory, bike, now + 13 * MINUTE)
    over = await rides.read(session_factory, city.rider, begun.id)
    assert (over.ended_at, over.pauses) == (now + 5 * MINUTE, ())
    assert (await rides.receipt_of(session_factory, begun.id)).total_minor == 100 + 5 * 19


async def test_a_lock_that_cannot_close_lets_the_trip_go_on_and_the_try_counts(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    bike, begun = await began(session_factory, city, now)
    photo = await rides.photo(session_factory, city.rider, now + 2 * MINUTE)
    await rides.give_back(session_factory, city.rider, begun.id, now + 2 * MINUTE, photo_id=photo)
    await rides.answer(session_factory, bike, now + 2 * MINUTE, is_done=False)
    still = await rides.read(session_factory, city.rider, begun.id)
    assert (still.state, still.awaits) == (TripState.IN_USE, None)
    assert await rides.attempts(session_factory, begun.id) == [["not_locked"]]
    assert (await rides.told(session_factory, eventlog.rider_topic(city.rider.account_id)))[-1]["refusals"] == ["not_locked"]
    again = await rides.give_back(session_factory, city.rider, begun.id, now + 4 * MINUTE, photo_id=photo)
    assert again is None, "the same photo still shows it"
    await rides.answer(session_factory, bike, now + 4 * MINUTE)
    assert (await rides.read(session_factory, city.rider, begun.id)).ended_at == now + 2 * MINUTE


async def test_a_car_that_says_it_does_not_charge_is_not_returned_after_all(
    session_factory: SessionFactory, city: City, clock: FixedClock, station: UUID
) -> None:
    now = clock.now()
    car, begun = await began(session_factory, city, now, VehicleType.CAR)
    await rides.give_back(session_factory, city.rider, begun.id, now + MINUTE)
    await rides.answer(session_factory, car, now + MINUTE, is_plugged_in=False)
    assert (await rides.read(session_factory, city.rider, begun.id)).state is TripState.IN_USE
    at_once = await rides.give_back(session_factory, city.rider, begun.id, now + MINUTE + SECOND)
    assert at_once is not None
    assert at_once.refusals == (ReturnRefusal.CHARGER_NOT_PLUGGED_IN,)
    assert await rides.give_back(session_factory, city.rider, begun.id, now + 2 * MINUTE) is None, "it is asked again"
    await rides.answer(session_factory, car, now + 2 * MINUTE, is_plugged_in=True)
    over = await rides.read(session_factory, city.rider, begun.id)
    assert (over.state, over.ended_at) == (TripState.ENDED, now + MINUTE)


async def test_a_vehicle_that_says_it_stands_elsewhere_is_not_returned_after_all(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    bike, begun = await began(session_factory, city, now)
    await rides.give_back(session_factory, city.rider, begun.id, now + MINUTE)
    await rides.answer(session_factory, bike, now + MINUTE, position=NORTH)
    assert await rides.attempts(session_factory, begun.id) == [["position_disagrees"]]
    refused = await rides.give_back(session_factory, city.rider, begun.id, now + 2 * MINUTE)
    assert refused is not None
    assert refused.refusals == (ReturnRefusal.POSITION_DISAGREES,)
    assert await rides.give_back(session_factory, city.rider, begun.id, now + 4 * MINUTE) is None, "that was long ago"


async def test_a_lock_that_is_silent_at_the_return_ends_the_trip_and_staff_look_at_it(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    bike, begun = await began(session_factory, city, now)
    await rides.give_back(session_factory, city.rider, begun.id, now + MINUTE)
    await rides.sweep(session_factory, now + 5 * MINUTE)
    assert (await rides.read(session_factory, city.rider, begun.id)).awaits is TripStep.RETURN
    await rides.sweep(session_factory, now + 6 * MINUTE)
    over = await rides.read(session_factory, city.rider, begun.id)
    assert (over.state, over.end_cause, over.ended_at) == (TripState.ENDED, TripEnd.LOCK_SILENT, now + MINUTE)
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL
    assert over.receipt_id is not None
    await rides.answer(session_factory, bike, now + 7 * MINUTE, purpose=LockPurpose.RETURN)
    late = await rides.read(session_factory, city.rider, begun.id)
    assert (late.state, late.ended_at, late.receipt_id) == (over.state, over.ended_at, over.receipt_id)


async def test_what_comes_back_empty_or_faulty_is_never_offered(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    bike, begun = await began(session_factory, city, now)
    await rides.give_back(session_factory, city.rider, begun.id, now + MINUTE)
    await rides.answer(session_factory, bike, now + MINUTE, battery_percent=9)
    assert await state_of(session_factory, bike) is VehicleState.NON_OPERATIONAL


async def test_what_the_next_rider_has_booked_is_kept_for_them(
    session_factory: SessionFactory, city: City, clock: FixedClock, station: UUID
) -> None:
    now = clock.now()
    car, begun = await began(session_factory, city, now, VehicleType.CAR)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    await reserve(session_factory, other, car, now, starts_at=now + 2 * rides.HOUR, ends_at=now + 3 * rides.HOUR)
    late = now + 2 * rides.HOUR + MINUTE
    await rides.give_back(session_factory, city.rider, begun.id, late)
    await rides.answer(session_factory, car, late)
    assert await state_of(session_factory, car) is VehicleState.RESERVED


async def test_a_photo_shows_one_return(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    now = clock.now()
    _bike, begun = await began(session_factory, city, now)
    async with session_factory.begin() as session:
        stranger = await factories.add_rider(session)
    for photo in (
        await rides.photo(session_factory, city.rider, now, used_at=now),
        await rides.photo(session_factory, stranger, now),
        await rides.photo(session_factory, city.rider, now, purpose=tables.PhotoPurpose.FAULT),
    ):
        refused = await rides.give_back(session_factory, city.rider, begun.id, now, photo_id=photo)
        assert refused is not None
        assert refused.refusals == (ReturnRefusal.PHOTO_MISSING,)


async def test_a_trip_that_is_over_or_somebody_elses_is_not_returned(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike, begun = await began(session_factory, city, clock.now())
    async with session_factory.begin() as session:
        stranger = await factories.add_rider(session)
    with pytest.raises(errors.NotFound):
        await rides.give_back(session_factory, stranger, begun.id, clock.now())
    await rides.give_back(session_factory, city.rider, begun.id, clock.now())
    with pytest.raises(errors.VehicleBusy):
        await rides.give_back(session_factory, city.rider, begun.id, clock.now())
    await rides.answer(session_factory, bike, clock.now())
    with pytest.raises(errors.TripClosed, match="ended"):
        await rides.give_back(session_factory, city.rider, begun.id, clock.now())
