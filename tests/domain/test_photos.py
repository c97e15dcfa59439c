"""Photos: each is sent once, shows one thing once, and goes when its time is over."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from domain import errors, ids, photos, tables
from domain.actor import Actor
from domain.photos import Picture
from domain.tables import FineKind, FineState, PhotoPurpose, PhotoState
from domain.values import LatLng
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City

DAY = timedelta(days=1)


def picture(word: bytes = b"a picture", **given: object) -> Picture:
    return Picture(word, sha256(word).digest(), 640, 480, **given)  # type: ignore[arg-type]


async def ask(session_factory: SessionFactory, who: Actor, now: datetime, purpose: PhotoPurpose = PhotoPurpose.RETURN) -> UUID:
    photo_id = ids.new()
    async with session_factory.begin() as session:
        await photos.request_upload(session, who, purpose=purpose, photo_id=photo_id, now=now)
    return photo_id


async def send(session_factory: SessionFactory, photo_id: UUID, sent: Picture, now: datetime) -> bool:
    async with session_factory.begin() as session:
        return await photos.record_upload(session, photo_id, sent, now=now)


async def row_of(session_factory: SessionFactory, photo_id: UUID) -> tables.Photo:
    async with session_factory() as session:
        return await session.get_one(tables.Photo, photo_id)


async def due(session_factory: SessionFactory, now: datetime) -> set[UUID]:
    async with session_factory() as session:
        return set(await photos.list_due(session, now=now))


async def mark(session_factory: SessionFactory, now: datetime, *, kept: timedelta = 90 * DAY) -> int:
    async with session_factory.begin() as session:
        return await photos.mark_old(session, before=now - kept, now=now)


async def test_what_was_uploaded_is_kept_with_what_the_camera_said(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    photo_id = await ask(session_factory, city.rider, clock.now())
    taken_at = clock.now() - timedelta(minutes=1)
    sent = picture(taken_at=taken_at, taken_from=LatLng(49.4, 8.7))
    assert await send(session_factory, photo_id, sent, clock.now())
    async with session_factory() as session:
        found = await photos.get_photo(session, city.rider, photo_id)
    assert (found.state, found.stored_at, found.used_at) == (PhotoState.STORED, clock.now(), None)
    assert (found.taken_at, found.taken_from) == (taken_at, LatLng(49.4, 8.7))
    assert (found.sha256, found.store_key) == (sent.sha256, f"photos/{photo_id}/{sent.sha256.hex()}.jpg")


async def test_the_first_picture_is_the_photo_and_the_same_again_is_no_other(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    photo_id = await ask(session_factory, city.rider, clock.now())
    assert await send(session_factory, photo_id, picture(b"first"), clock.now())
    assert not await send(session_factory, photo_id, picture(b"second"), clock.now())
    assert await send(session_factory, photo_id, picture(b"first"), clock.now() + timedelta(minutes=1))
    row = await row_of(session_factory, photo_id)
    assert (row.sha256, row.stored_at) == (picture(b"first").sha256, clock.now())


async def test_a_photo_that_was_forgotten_meanwhile_takes_no_picture(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    photo_id = await ask(session_factory, city.rider, clock.now())
    async with session_factory.begin() as session:
        (await session.get_one(tables.Photo, photo_id)).forget_at = clock.now()
    for missing in (photo_id, ids.new()):
        with pytest.raises(errors.LinkExpired):
            await send(session_factory, missing, picture(), clock.now())


async def test_a_rider_asks_thirty_times_an_hour(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    start = clock.now()
    for _ in range(photos.PER_HOUR):
        await ask(session_factory, city.rider, clock.now())
        clock.advance(minutes=1)
    with pytest.raises(errors.TooManyTries) as refusal:
        await ask(session_factory, city.rider, clock.now())
    assert refusal.value.retry_after_seconds == (start + timedelta(hours=1) - clock.now()).total_seconds()
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    await ask(session_factory, other, clock.now())
    clock.advance(minutes=30)
    await ask(session_factory, city.rider, clock.now())


WALL = datetime(2026, 11, 21, 9, 25)  # noqa: DTZ001


async def test_a_camera_without_an_offset_is_read_by_the_clock_of_the_metro_of_the_last_trip(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    photo_id = await ask(session_factory, city.rider, clock.now())
    await send(session_factory, photo_id, picture(taken_at=WALL), clock.now())
    assert (await row_of(session_factory, photo_id)).taken_at == WALL.replace(tzinfo=UTC)
    await add_trip(session_factory, city)
    later = await ask(session_factory, city.rider, clock.now())
    await send(session_factory, later, picture(taken_at=WALL), clock.now())
    assert (await row_of(session_factory, later)).taken_at == datetime(2026, 11, 21, 8, 25, tzinfo=UTC)


async def test_a_time_that_is_still_to_come_counts_as_none(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    photo_id = await ask(session_factory, city.rider, clock.now())
    await send(session_factory, photo_id, picture(taken_at=clock.now() + timedelta(days=2)), clock.now())
    assert (await row_of(session_factory, photo_id)).taken_at is None


async def test_somebody_elses_photo_does_not_exist(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
        row = await factories.add_photo(session, city.rider.account_id)
        for act in (
            photos.get_photo(session, other, row.id),
            photos.use_photo(session, other, row.id, PhotoPurpose.RETURN, clock.now()),
            photos.use_photo(session, city.rider, ids.new(), PhotoPurpose.RETURN, clock.now()),
        ):
            with pytest.raises(errors.NotFound):
                await act


async def test_a_photo_shows_one_thing_once(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        row = await factories.add_photo(session, city.rider.account_id)
        used = await photos.use_photo(session, city.rider, row.id, PhotoPurpose.RETURN, clock.now())
        assert used.used_at == clock.now()
    async with session_factory.begin() as session:
        with pytest.raises(errors.InvalidInput, match="Take a new one") as refusal:
            await photos.use_photo(session, city.rider, row.id, PhotoPurpose.RETURN, clock.now())
    assert refusal.value.issues[0].path == "photoId"


async def test_of_two_acts_at_once_a_photo_proves_one(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        row = await factories.add_photo(session, city.rider.account_id)

    async def use() -> bool:
        try:
            async with session_factory.begin() as session:
                await photos.use_photo(session, city.rider, row.id, PhotoPurpose.RETURN, clock.now())
                return True
        except errors.InvalidInput:
            return False

    assert sorted(await asyncio.gather(*(use() for _ in range(4)))) == [False, False, False, True]


async def test_of_pictures_that_race_one_is_the_photo(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    photo_id = await ask(session_factory, city.rider, clock.now())
    sent = [picture(bytes([number])) for number in range(4)]
    won = await asyncio.gather(*(send(session_factory, photo_id, one, clock.now()) for one in sent))
    assert sorted(won) == [False, False, False, True]
    assert (await row_of(session_factory, photo_id)).sha256 == sent[won.index(True)].sha256


async def test_a_photo_shows_nothing_that_it_was_not_asked_for(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        row = await factories.add_photo(session, city.rider.account_id, purpose=PhotoPurpose.FAULT)
        with pytest.raises(errors.InvalidInput, match="fault"):
            await photos.use_photo(session, city.rider, row.id, PhotoPurpose.RETURN, clock.now())


async def test_a_photo_that_was_not_uploaded_shows_nothing(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    photo_id = await ask(session_factory, city.rider, clock.now())
    async with session_factory.begin() as session:
        with pytest.raises(errors.InvalidInput, match="has not been uploaded"):
            await photos.use_photo(session, city.rider, photo_id, PhotoPurpose.RETURN, clock.now())


async def test_what_never_came_goes_a_day_after_its_link(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    photo_id = await ask(session_factory, city.rider, clock.now())
    over = clock.now() + photos.UPLOADED_WITHIN + DAY
    assert await due(session_factory, over) == set()
    assert await due(session_factory, over + timedelta(seconds=1)) == {photo_id}


async def test_of_an_erased_rider_all_goes_but_not_below_an_upload_that_is_under_way(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    asked = await ask(session_factory, city.rider, clock.now())
    async with session_factory.begin() as session:
        stored = (await factories.add_photo(session, city.rider.account_id, forget_at=clock.now())).id
        (await session.get_one(tables.Photo, asked)).forget_at = clock.now()
    assert await due(session_factory, clock.now()) == {stored}
    later = clock.now() + photos.UPLOADED_WITHIN + photos.UNDER_WAY
    assert await due(session_factory, later + timedelta(seconds=1)) == {stored, asked}


async def test_only_what_is_due_is_forgotten(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    async with session_factory.begin() as session:
        kept = await factories.add_photo(session, city.rider.account_id)
        gone = await factories.add_photo(session, city.rider.account_id, forget_at=clock.now())
        for row in (kept, gone):
            await photos.forget_photo(session, row.id, now=clock.now())
    async with session_factory() as session:
        assert list((await session.execute(select(tables.Photo.id))).scalars()) == [kept.id]


async def test_used_photos_go_with_their_time_and_unused_ones_after_a_day(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    async with session_factory.begin() as session:
        rider = city.rider.account_id
        old = await factories.add_photo(session, rider, stored_at=now - 91 * DAY, used_at=now - 91 * DAY)
        unused = await factories.add_photo(session, rider, stored_at=now - 2 * DAY)
        await factories.add_photo(session, rider, stored_at=now - 89 * DAY, used_at=now - 89 * DAY)
        await factories.add_photo(session, rider, stored_at=now - DAY / 2)
    await ask(session_factory, city.rider, now)
    assert await mark(session_factory, now) == 2
    assert await due(session_factory, now) == {old.id, unused.id}
    assert await mark(session_factory, now) == 0


@pytest.mark.parametrize(
    ("state", "days_left", "is_kept"),
    [
        (FineState.ISSUED, 1, True),
        (FineState.ISSUED, -1, False),
        (FineState.APPEALED, -1, True),
        (FineState.UPHELD, 1, False),
        (FineState.WAIVED, 1, False),
    ],
)
async def test_what_a_fine_stands_on_stays_while_it_may_be_appealed_against(
    session_factory: SessionFactory, city: City, clock: FixedClock, state: FineState, days_left: int, is_kept: bool
) -> None:
    now = clock.now()
    trip = await add_trip(session_factory, city)
    async with session_factory.begin() as session:
        old = await factories.add_photo(session, city.rider.account_id, stored_at=now - 91 * DAY, used_at=now - 91 * DAY)
        session.add(fine_of(trip, await add_receipt(session, trip), old.id, state, now, now + days_left * DAY))
    assert await mark(session_factory, now) == (0 if is_kept else 1)


async def add_trip(session_factory: SessionFactory, city: City) -> tables.Trip:
    async with session_factory.begin() as session:
        vehicle = await factories.add_vehicle(session, city.metro)
        return await factories.add_trip(session, vehicle, city.tariffs[vehicle.vehicle_type], city.rider.account_id)


async def add_receipt(session: AsyncSession, trip: tables.Trip) -> UUID:
    row = tables.Receipt(
        id=ids.new(),
        number="DE-2026-000001",
        source=tables.ReceiptSource.TRIP,
        customer_id=trip.customer_id,
        metro_id=trip.metro_id,
        trip_id=trip.id,
        country_code="DE",
        currency="EUR",
        total_minor=1200,
        vat=[],
        issued_at=trip.requested_at,
    )
    session.add(row)
    await session.flush()
    return row.id


def fine_of(
    trip: tables.Trip, receipt_id: UUID, photo_id: UUID, state: FineState, now: datetime, appeal_until: datetime
) -> tables.Fine:
    return tables.Fine(
        id=ids.new(),
        trip_id=trip.id,
        customer_id=trip.customer_id,
        metro_id=trip.metro_id,
        receipt_id=receipt_id,
        kind=FineKind.WRONG_PLACE,
        amount_minor=2500,
        currency="EUR",
        state=state,
        photo_id=photo_id,
        evidence={},
        issued_at=now,
        appeal_until=appeal_until,
        appealed_at=now if state is FineState.APPEALED else None,
        appeal_text="It stood well." if state is FineState.APPEALED else None,
        decided_at=now if state in (FineState.UPHELD, FineState.WAIVED) else None,
    )
