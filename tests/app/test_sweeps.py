"""What a worker finds by looking, when the job that should have done it is lost or time alone makes it due."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from app.database import SessionFactory
from app.gateways.photos import ObjectPhotos
from app.settings import Settings
from app.sweeps import Sweeps
from app.worker import Worker
from domain import errors, licences, tables
from domain.ciphers import Cipher
from domain.values import LicenceState, NotificationKind, VehicleState
from tests import factories
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import notified
from tests.domain.test_licences import GOOD, licence_row, submit_with


async def test_a_worker_checks_a_licence_whose_job_is_lost_and_reminds_of_a_commute_and_forgets_an_old_photo(
    session_factory: SessionFactory, database_url: str, clock: FixedClock, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, signing_key="k" * 32)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session, is_default=True)
        rider = factories.rider(await factories.add_customer(session, has_licence=False))
        photo = await factories.add_photo(session, rider.account_id)
        await factories.add_commute(session, rider.account_id, metro, next_reminder_at=clock.now())
    pictures = ObjectPhotos.at(None, tmp_path)
    await pictures.put(str(photo.store_key), b"a picture")
    await submit_with(Cipher(settings.secret(), licences.PURPOSE), session_factory, rider, clock.now(), GOOD)
    async with session_factory.begin() as session:
        await session.execute(text("delete from procrastinate_jobs"))
    clock.advance(minutes=2)
    working = asyncio.create_task(Worker(settings, database_url, session_factory, clock).run())

    async def is_done() -> bool:
        reminded = select(func.count()).where(tables.Notification.kind == NotificationKind.COMMUTE_REMINDER)
        async with session_factory() as session:
            reminders = (await session.execute(reminded)).scalar_one()
            is_forgotten = await session.get(tables.Photo, photo.id) is None
        return is_forgotten and reminders == 1 and (await licence_row(session_factory, rider)).state is LicenceState.VERIFIED

    try:
        async with asyncio.timeout(30):
            while not await is_done():
                await asyncio.sleep(0.05)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    with pytest.raises(errors.NotFound):
        await pictures.get(str(photo.store_key))


async def test_a_worker_looks_after_trips_whose_lock_is_silent_or_whose_vehicle_is_due_or_lost(
    session_factory: SessionFactory, clock: FixedClock, tmp_path: Path
) -> None:
    start = clock.now()
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session, is_default=True)
        tariff = await factories.add_tariff(session, metro)
        riders = [await factories.add_rider(session) for _ in range(2)]
        silent, ridden = [(await factories.add_vehicle(session, metro)).id for _ in range(2)]
    trip = await rides.ride(session_factory, riders[0], ridden, start)
    asked = await rides.unlock(session_factory, riders[1], silent, start)
    assert asked.tariff.id == tariff.id
    sweeps = {sweep.name: sweep.act for sweep in Sweeps(Settings(data_dir=tmp_path), session_factory, clock).all()}

    async def sweep(name: str, **later: float) -> None:
        clock.advance(**later)
        await sweeps[name]()

    await sweep("trips", seconds=30)
    assert (await rides.read(session_factory, riders[1], asked.id)).end_cause is tables.TripEnd.UNLOCK_TIMED_OUT
    await sweep("silent locks", minutes=15)
    assert (await rides.vehicle_row(session_factory, silent)).state is VehicleState.NON_CONTACTABLE
    await sweep("due returns", hours=11.5)
    (told,) = await notified(session_factory, riders[0])
    assert (told.kind, told.facts["tripId"]) == (NotificationKind.RETURN_DUE, str(trip.id))
    await sweep("lost vehicles", hours=25)
    assert (await rides.vehicle_row(session_factory, ridden)).state is VehicleState.MISSING
