"""Privacy at the door: what erasing asks for, what refuses it, and what keys are worth."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from app.database import SessionFactory
from domain import accounts, errors, ids, tables
from domain.actor import Audience
from domain.tables import ExportState
from domain.values import ReservationState
from resolvers import privacy, reservations
from resolvers.accounts import get_customer
from resolvers.context import Ctx
from tests import factories
from tests.conftest import FixedClock
from tests.resolvers.front import runtime_of

ADA = "ada@example.org"
PASSWORD = "correct horse"
TRIES = 5


@pytest.fixture
async def ctx(session_factory: SessionFactory, clock: FixedClock) -> Ctx:
    """Of a rider who has signed in and has a password."""
    runtime = runtime_of(session_factory, clock, tries=TRIES)
    hashed = await runtime.hasher.hash(PASSWORD)
    async with session_factory.begin() as session:
        await factories.add_customer(session, email=ADA, password_hash=hashed)
        found = await accounts.find_credentials(session, Audience.CUSTOMER, ADA)
        assert found is not None
        opened = await accounts.open_session(session, Audience.CUSTOMER, found, days=30, now=clock.now())
    return Ctx(runtime, opened.actor, "127.0.0.1", "test")


async def erase(ctx: Ctx, *, password: str | None = PASSWORD, confirmation: str | None = None, key: str = "1") -> None:
    await privacy.erase_account(ctx, password=password, confirmation=confirmation, idempotency_key=key)


async def is_there(ctx: Ctx) -> bool:
    try:
        return (await get_customer(ctx)).email == ADA
    except errors.NotFound:
        return False


async def test_erasing_needs_the_password(ctx: Ctx) -> None:
    with pytest.raises(errors.InvalidInput, match="Give the password"):
        await erase(ctx, password=None, confirmation=ADA)
    assert await is_there(ctx)


async def test_a_wrong_password_erases_nothing(ctx: Ctx) -> None:
    with pytest.raises(errors.InvalidCredentials, match="password is wrong"):
        await erase(ctx, password="wrong")
    assert await is_there(ctx)


async def test_a_password_that_is_too_long_is_not_even_checked(ctx: Ctx) -> None:
    with pytest.raises(errors.InvalidInput, match="1024 characters"):
        await erase(ctx, password="p" * 1025)


async def test_a_password_is_tried_as_often_as_at_signing_in(ctx: Ctx) -> None:
    for _ in range(TRIES):
        with pytest.raises(errors.InvalidInput):
            await erase(ctx, password=None)
    with pytest.raises(errors.TooManyTries):
        await erase(ctx)
    assert await is_there(ctx)


async def test_an_account_without_a_password_is_confirmed_by_its_address(ctx: Ctx, session_factory: SessionFactory) -> None:
    async with session_factory.begin() as session:
        await session.execute(update(tables.Customer).values(password_hash=None))
    for confirmation in (None, "eve@example.org"):
        with pytest.raises(errors.InvalidInput, match="Write the email address"):
            await erase(ctx, password=None, confirmation=confirmation)
    await erase(ctx, password=None, confirmation=" Ada@Example.org ")
    assert not await is_there(ctx)


async def test_erasing_without_a_key_is_refused(ctx: Ctx) -> None:
    with pytest.raises(errors.InvalidInput, match="idempotency key"):
        await erase(ctx, key="")
    assert await is_there(ctx)


async def test_erasing_again_with_the_same_key_says_that_the_session_is_over(ctx: Ctx) -> None:
    await erase(ctx)
    with pytest.raises(errors.SessionEnded):
        await erase(ctx)
    with pytest.raises(errors.NotFound):
        await get_customer(ctx)


async def test_a_refusal_because_of_what_is_open_leaves_no_key(ctx: Ctx, session_factory: SessionFactory) -> None:
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
        vehicle, tariff = await factories.add_vehicle(session, metro), await factories.add_tariff(session, metro)
        row = await factories.add_trip(session, vehicle, tariff, ctx.who.account_id, state=tables.TripState.IN_USE)
    with pytest.raises(errors.ErasureBlocked):
        await erase(ctx)
    async with session_factory.begin() as session:
        now, done = ctx.runtime.clock.now(), update(tables.Trip).where(tables.Trip.id == row.id)
        over = {"state": tables.TripState.ENDED, "end_cause": tables.TripEnd.RETURNED}
        await session.execute(done.values(**over, ended_at=now, closed_at=now))
        held = update(tables.Reservation).where(tables.Reservation.id == row.reservation_id)
        await session.execute(held.values(state=ReservationState.ENDED))
    await erase(ctx)
    assert not await is_there(ctx)


async def test_nobody_reserves_for_an_account_that_was_erased(ctx: Ctx, session_factory: SessionFactory) -> None:
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
        vehicle, _ = await factories.add_vehicle(session, metro), await factories.add_tariff(session, metro)
        dispatcher = await factories.add_member(session)
    await erase(ctx)
    with pytest.raises(errors.NotFound, match="no such customer"):
        await reservations.reserve_vehicle(
            Ctx(ctx.runtime, dispatcher, "127.0.0.1", "test"),
            customer_id=ctx.who.account_id,
            vehicle_id=ids.encode(ids.FLEET_VEHICLE, vehicle.id),
            starts_at=None,
            ends_at=None,
            expected_minutes=None,
            idempotency_key="1",
        )


async def test_asking_for_an_archive_again_with_the_same_key_answers_the_same(ctx: Ctx) -> None:
    first = await privacy.request_data_export(ctx, idempotency_key="1")
    assert (await privacy.request_data_export(ctx, idempotency_key="1")) == first
    assert first.state is ExportState.REQUESTED
    assert privacy.download_url(ctx, first) is None
    with pytest.raises(errors.ExportInProgress):
        await privacy.request_data_export(ctx, idempotency_key="2")
