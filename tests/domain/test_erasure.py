"""Erasure: what it needs, what refuses it, what it leaves, and what comes beside it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.database import SessionFactory
from domain import (
    accounts,
    chat,
    erasure,
    errors,
    eventlog,
    exports,
    fleet,
    ids,
    payment_claims,
    payments,
    reservations,
    sessions,
    tables,
    turns,
)
from domain.actor import Actor, Audience
from domain.erasure import BlockerCode
from domain.values import NotificationKind, ReservationState, VehicleState, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City
from tests.domain.conversations import claim, finish, send
from tests.log import settled_after

ADA = "ada@example.org"
START = eventlog.Position(1, 0, 0)


@pytest.fixture
async def opened(session_factory: SessionFactory, clock: FixedClock) -> accounts.OpenedSession:
    async with session_factory.begin() as session:
        await factories.add_customer(session, email=ADA, name="Ada", password_hash="hash", language="de")
        found = await accounts.find_credentials(session, Audience.CUSTOMER, ADA)
        assert found is not None
        return await accounts.open_session(session, Audience.CUSTOMER, found, days=30, now=clock.now())


@pytest.fixture
def ada(opened: accounts.OpenedSession) -> Actor:
    return opened.actor


async def check(session_factory: SessionFactory, clock: FixedClock, who: Actor) -> erasure.Account:
    async with session_factory() as session:
        return await erasure.get_account(session, who, now=clock.now())


async def erase(session_factory: SessionFactory, clock: FixedClock, who: Actor, checked: erasure.Account | None = None) -> None:
    checked = checked or await check(session_factory, clock, who)
    async with session_factory.begin() as session:
        await erasure.erase_account(session, who, checked=checked, now=clock.now())


async def sweep(session_factory: SessionFactory, clock: FixedClock) -> list[UUID]:
    async with session_factory.begin() as session:
        found = await erasure.list_lately_erased(session, now=clock.now())
        for customer_id in found:
            await erasure.erase_leftovers(session, customer_id, now=clock.now())
    return found


async def reserve(session_factory: SessionFactory, clock: FixedClock, city: City, who: Actor) -> tables.Vehicle:
    async with session_factory.begin() as session:
        vehicle = await factories.add_vehicle(session, city.metro)
        ref = fleet.VehicleRef(vehicle.published_id, published=True)
        given = {"customer_id": who.account_id, "vehicle": ref, "starts_at": clock.now(), "ends_at": None, "now": clock.now()}
        await reservations.reserve_vehicle(session, who, **given)  # type: ignore[arg-type]
    return vehicle


async def states(session_factory: SessionFactory) -> list[ReservationState]:
    async with session_factory() as session:
        return list((await session.execute(select(tables.Reservation.state))).scalars())


async def test_an_erased_account_says_nothing_and_keeps_its_row(
    session_factory: SessionFactory, clock: FixedClock, ada: Actor
) -> None:
    await erase(session_factory, clock, ada)
    async with session_factory() as session:
        row = await session.get_one(tables.Customer, ada.account_id)
        assert (row.email, row.name, row.password_hash) == (f"erased-{ada.account_id}@erased.invalid", "", None)
        assert (row.language, row.erased_at) == ("en", clock.now())
        with pytest.raises(errors.NotFound):
            await accounts.get_customer(session, ada.account_id)


async def test_the_address_that_was_is_told_in_the_language_that_was(
    session_factory: SessionFactory, clock: FixedClock, ada: Actor
) -> None:
    await erase(session_factory, clock, ada)
    async with session_factory() as session:
        (told,) = (await session.execute(select(tables.Notification))).scalars()
    assert (told.kind, told.email, told.language) == (NotificationKind.ACCOUNT_ERASED, ADA, "de")


async def test_an_erased_account_neither_signs_in_nor_refreshes(
    session_factory: SessionFactory, clock: FixedClock, opened: accounts.OpenedSession
) -> None:
    async with session_factory() as session:
        checked = await accounts.find_credentials(session, Audience.CUSTOMER, ADA)
        assert checked is not None
    await erase(session_factory, clock, opened.actor)
    async with session_factory.begin() as session:
        assert await accounts.find_credentials(session, Audience.CUSTOMER, ADA) is None
        token = opened.refresh_token
        assert await accounts.refresh_session(session, Audience.CUSTOMER, token, days=30, now=clock.now()) is None
    with pytest.raises(errors.InvalidCredentials):
        async with session_factory.begin() as session:
            await accounts.open_session(session, Audience.CUSTOMER, checked, days=30, now=clock.now())


async def test_the_address_of_an_erased_account_may_be_somebodys_again(
    session_factory: SessionFactory, clock: FixedClock, ada: Actor
) -> None:
    await erase(session_factory, clock, ada)
    async with session_factory.begin() as session:
        await factories.add_customer(session, email=ADA)


async def test_what_its_sessions_have_open_is_seen_to_be_over_and_then_they_are_forgotten(
    session_factory: SessionFactory, clock: FixedClock, ada: Actor
) -> None:
    await erase(session_factory, clock, ada)
    async with session_factory() as session:
        found = await sessions.find_ended_sessions(session, since=clock.now(), among=[])
    assert found == {ada.session_id}
    clock.advance(days=1)
    async with session_factory.begin() as session:
        assert await sessions.forget_sessions(session, now=clock.now()) == 1


async def test_erasing_again_answers_that_the_session_is_over(
    session_factory: SessionFactory, clock: FixedClock, ada: Actor
) -> None:
    checked = await check(session_factory, clock, ada)
    await erase(session_factory, clock, ada, checked)
    with pytest.raises(errors.SessionEnded):
        await check(session_factory, clock, ada)
    with pytest.raises(errors.SessionEnded):
        await erase(session_factory, clock, ada, checked)


async def test_of_two_who_erase_at_once_one_is_told_that_the_session_is_over(
    session_factory: SessionFactory, clock: FixedClock, ada: Actor
) -> None:
    checked = await check(session_factory, clock, ada)
    acts = (erase(session_factory, clock, ada, checked) for _ in range(2))
    outcomes = await asyncio.gather(*acts, return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["NoneType", "SessionEnded"]


async def test_who_was_signed_out_erases_nothing(session_factory: SessionFactory, clock: FixedClock, ada: Actor) -> None:
    checked = await check(session_factory, clock, ada)
    async with session_factory.begin() as session:
        await accounts.sign_out(session, ada, now=clock.now())
    with pytest.raises(errors.SessionEnded):
        await erase(session_factory, clock, ada, checked)


async def test_a_password_that_was_changed_while_it_was_checked_erases_nothing(
    session_factory: SessionFactory, clock: FixedClock, ada: Actor
) -> None:
    checked = await check(session_factory, clock, ada)
    async with session_factory.begin() as session:
        await session.execute(update(tables.Customer).values(password_hash="newer"))
    with pytest.raises(errors.InvalidCredentials, match="changed meanwhile"):
        await erase(session_factory, clock, ada, checked)


async def test_a_trip_that_is_open_keeps_the_account(
    session_factory: SessionFactory, clock: FixedClock, city: City, ada: Actor
) -> None:
    async with session_factory.begin() as session:
        vehicle, tariff = await factories.add_vehicle(session, city.metro), city.tariffs[VehicleType.BICYCLE]
        trip = await factories.add_trip(session, vehicle, tariff, ada.account_id, state=tables.TripState.IN_USE)
    with pytest.raises(errors.ErasureBlocked) as refused:
        await erase(session_factory, clock, ada)
    (reason,) = refused.value.reasons
    assert (reason.code, reason.id) == (BlockerCode.OPEN_TRIP, ids.encode(ids.TRIP, trip.id))
    assert "Return the vehicle" in reason.message
    assert (await check(session_factory, clock, ada)).email == ADA


async def test_a_charge_that_is_under_way_keeps_the_account_also_when_nothing_is_owed_any_more(
    session_factory: SessionFactory, clock: FixedClock, city: City, ada: Actor
) -> None:
    """What it takes has to go back."""
    async with session_factory.begin() as session:
        await factories.add_payment_method(session, ada.account_id)
        receipt = await factories.add_receipt(session, city.metro, ada.account_id)
        await payments.collect(session, receipt, clock.now())
        await payment_claims.claim_payments(session, now=clock.now(), limit=1)
        receipt.settled_minor = receipt.total_minor
    with pytest.raises(errors.ErasureBlocked) as refused:
        await erase(session_factory, clock, ada)
    assert [reason.code for reason in refused.value.reasons] == [BlockerCode.OPEN_PAYMENT]


async def test_reservations_are_cancelled_and_their_vehicles_free(
    session_factory: SessionFactory, clock: FixedClock, city: City, ada: Actor
) -> None:
    vehicle = await reserve(session_factory, clock, city, ada)
    await erase(session_factory, clock, ada)
    assert await states(session_factory) == [ReservationState.CANCELLED]
    async with session_factory() as session:
        assert (await session.get_one(tables.Vehicle, vehicle.id)).state is VehicleState.AVAILABLE
        events = (await settled_after(session, eventlog.dispatch_topic(city.metro.id), START)).events
    assert [event.kind for event in events][-2:] == ["reservation.cancelled", "vehicle.changed"], "dispatch sees it"


async def test_who_follows_an_erased_topic_is_told_of_the_gap(
    session_factory: SessionFactory, clock: FixedClock, city: City, ada: Actor
) -> None:
    await reserve(session_factory, clock, city, ada)
    topic = eventlog.rider_topic(ada.account_id)
    async with session_factory() as session:
        assert (await settled_after(session, topic, START)).events
    await erase(session_factory, clock, ada)
    async with session_factory() as session:
        batch = await eventlog.read_after(session, topic, START)
    assert (batch.events, batch.gap is not None) == ([], True)


async def test_a_worker_that_answers_an_erased_rider_writes_nothing(
    session_factory: SessionFactory, clock: FixedClock, city: City, ada: Actor
) -> None:
    async with session_factory.begin() as session:
        conversation = await chat.start_conversation(session, ada, city.metro.id, now=clock.now())
    own = City(city.metro, city.tariffs, ada, city.dispatcher)
    sent = await send(session_factory, own, conversation, clock)
    claimed = await claim(session_factory, sent.turn_id, clock)
    assert claimed is not None
    await erase(session_factory, clock, ada)
    delta = turns.ChatDelta(sent.turn_id, claimed.attempt, conversation, "text.delta", {"text": "Hi"})
    async with session_factory.begin() as session:
        assert await turns.append_chat_events(session, [delta]) == set()
    with pytest.raises(turns.Superseded):
        async with session_factory.begin() as session:
            await turns.hold_turn(session, sent.turn_id, claimed.attempt)
    assert not await finish(session_factory, sent.turn_id, clock)
    assert await claim(session_factory, sent.turn_id, clock) is None
    async with session_factory() as session:
        events = select(func.count()).select_from(tables.Event).where(tables.Event.topic == eventlog.chat_topic(conversation))
        assert (await session.execute(events)).scalar_one() == 0


async def test_a_worker_that_builds_an_archive_of_an_erased_rider_writes_nothing(
    session_factory: SessionFactory, clock: FixedClock, ada: Actor
) -> None:
    export_id = ids.new()
    async with session_factory.begin() as session:
        await exports.request_data_export(session, ada, export_id=export_id, per_day=3, now=clock.now())
    async with session_factory.begin() as session:
        claimed = await exports.claim_export(session, export_id)
        assert claimed is not None
    await erase(session_factory, clock, ada)
    async with session_factory.begin() as session:
        assert not await exports.add_part(session, claimed, 0, b"PK")
        assert not await exports.finish_export(session, claimed, size_bytes=2, kept=timedelta(days=7), now=clock.now())


async def test_what_a_request_under_way_still_wrote_is_erased_after_it(
    session_factory: SessionFactory, clock: FixedClock, city: City, ada: Actor
) -> None:
    await erase(session_factory, clock, ada)
    await reserve(session_factory, clock, city, ada)
    async with session_factory.begin() as session:
        await chat.start_conversation(session, ada, city.metro.id, now=clock.now())
    clock.advance(hours=1)
    assert await sweep(session_factory, clock) == [ada.account_id]
    async with session_factory() as session:
        assert (await session.execute(select(func.count()).select_from(tables.Conversation))).scalar_one() == 0
        row = await session.get_one(tables.Customer, ada.account_id)
        assert row.erased_at == clock.now() - timedelta(hours=1)
    assert await states(session_factory) == [ReservationState.CANCELLED]
    async with session_factory() as session:
        assert (await session.execute(select(tables.Notification.email))).scalar_one() == ADA, "its mail is still to be sent"
    clock.advance(hours=1)
    assert await sweep(session_factory, clock) == [], "no token lasts so long"


async def test_erasing_beside_reserving_blocks_neither_and_leaves_no_vehicle_held(
    session_factory: SessionFactory, clock: FixedClock, city: City, ada: Actor
) -> None:
    for _ in range(3):
        await reserve(session_factory, clock, city, ada)
    beside = [reserve(session_factory, clock, city, ada) for _ in range(4)]
    outcomes = await asyncio.gather(*beside[:2], erase(session_factory, clock, ada), *beside[2:], return_exceptions=True)
    assert [one for one in outcomes if isinstance(one, BaseException)] == []
    await sweep(session_factory, clock)
    assert set(await states(session_factory)) == {ReservationState.CANCELLED}
    async with session_factory() as session:
        assert set((await session.execute(select(tables.Vehicle.state))).scalars()) == {VehicleState.AVAILABLE}
