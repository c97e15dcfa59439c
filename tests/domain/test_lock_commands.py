"""A lock is asked one thing at a time, but for closing what opened for nobody."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from app.database import SessionFactory
from domain import errors, jobs, lock_commands
from domain.tables import LockPurpose, TripStep
from tests.conftest import FixedClock
from tests.domain import rides
from tests.domain.bookings import new_vehicle
from tests.domain.conftest import City

MINUTE = timedelta(minutes=1)


async def order(sessions: SessionFactory, vehicle_id: UUID, purpose: LockPurpose, clock: FixedClock) -> None:
    async with sessions.begin() as session:
        until = clock.now() + MINUTE
        await lock_commands.order(
            session, vehicle_id=vehicle_id, trip_id=None, purpose=purpose, now=clock.now(), expires_at=until
        )


async def test_what_is_asked_is_sent_by_a_job_of_the_same_transaction(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    await order(session_factory, bike, LockPurpose.UNLOCK, clock)
    (command,) = await rides.commands(session_factory, bike)
    async with session_factory() as session:
        named = {"task": jobs.SEND_LOCK_COMMAND}
        job = (await session.execute(text("select args, lock from procrastinate_jobs where task_name = :task"), named)).one()
    assert (job.args, job.lock) == ({"command_id": str(command.id)}, f"lock:{bike}")


async def test_a_lock_that_is_asked_already_is_not_asked_another_thing(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    await order(session_factory, bike, LockPurpose.RETURN, clock)
    with pytest.raises(errors.VehicleBusy):
        await order(session_factory, bike, LockPurpose.UNLOCK, clock)
    await order(session_factory, bike, LockPurpose.RELOCK, clock)


async def test_what_is_to_be_opened_is_not_closed_for_nobody_any_more(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    bike = await new_vehicle(session_factory, city)
    for _ in range(2):
        async with session_factory.begin() as session:
            await lock_commands.relock(session, vehicle_id=bike, trip_id=None, now=clock.now())
    assert await rides.asked(session_factory, bike) == [("relock", "queued")], "once is enough"
    await order(session_factory, bike, LockPurpose.UNLOCK, clock)
    assert await rides.asked(session_factory, bike) == [("relock", "timed_out"), ("unlock", "queued")]


def test_everything_that_a_lock_answers_is_waited_for() -> None:
    assert set(lock_commands.PATIENCE) == set(TripStep) - {TripStep.AUTHORIZATION}
    assert set(lock_commands.ACTIONS) == set(LockPurpose)
