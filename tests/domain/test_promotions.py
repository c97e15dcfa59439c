"""A code is credit once a rider, as often as it says; credit is used before any card, and spent once, whatever comes of it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, update

from app.database import SessionFactory
from domain import errors, ids, ledger, promotions, refunds, retention, tables
from domain import receipts as issued
from domain.actor import Actor
from domain.tables import LedgerAccount
from domain.values import Money
from tests import factories
from tests.conftest import FixedClock
from tests.domain import paid_rides
from tests.domain.conftest import City
from tests.domain.tills import Till

AMOUNT = 500


@pytest.fixture
async def rider(session_factory: SessionFactory, city: City, clock: FixedClock) -> Actor:
    """With credit."""
    async with session_factory.begin() as session:
        await promotions.create_promotion(
            session,
            city.dispatcher,
            promotion_id=ids.new(),
            code="WELCOME",
            metro_id=city.metro.id,
            amount=Money(AMOUNT, "EUR"),
            valid_until=clock.now() + timedelta(days=1),
            max_redemptions=1,
            now=clock.now(),
        )
        await promotions.redeem_promotion(session, city.rider, code="WELCOME", redemption_id=ids.new(), now=clock.now())
    return city.rider


async def owe(session_factory: SessionFactory, city: City, rider: Actor, total_minor: int) -> UUID:
    async with session_factory.begin() as session:
        return (await factories.add_receipt(session, city.metro, rider.account_id, total_minor=total_minor)).id


async def use(session_factory: SessionFactory, receipt_id: UUID, now: datetime) -> int:
    async with session_factory.begin() as session:
        return await promotions.use_credit(session, await session.get_one(tables.Receipt, receipt_id, with_for_update=True), now)


async def credit(session_factory: SessionFactory, rider: Actor) -> list[Money]:
    async with session_factory() as session:
        return await promotions.list_credit(session, rider.account_id)


async def test_two_receipts_at_once_spend_credit_once(
    session_factory: SessionFactory, city: City, clock: FixedClock, rider: Actor
) -> None:
    owed = [await owe(session_factory, city, rider, 300) for _ in range(2)]
    used = await asyncio.gather(*(use(session_factory, one, clock.now()) for one in owed))
    assert sorted(used) == [200, 300]
    assert await credit(session_factory, rider) == []


async def test_spending_credit_does_not_wait_for_who_holds_the_account(
    session_factory: SessionFactory, city: City, clock: FixedClock, rider: Actor
) -> None:
    """They may wait for a reservation that whoever spends it holds: erasure does, and unlocking."""
    owed = await owe(session_factory, city, rider, 300)
    customers = tables.Customer
    async with session_factory.begin() as erasing:
        await erasing.execute(select(customers.id).where(customers.id == rider.account_id).with_for_update(key_share=True))
        assert await use(session_factory, owed, clock.now()) == 300


@pytest.mark.parametrize("is_given_back", [False, True])
async def test_credit_that_was_spent_does_not_come_back_when_it_is_forgotten_who_rode(
    session_factory: SessionFactory, city: City, clock: FixedClock, rider: Actor, is_given_back: bool
) -> None:
    now = clock.now()
    receipt = await paid_rides.issue(session_factory, city, now)
    assert await use(session_factory, receipt.id, now) == receipt.total_minor == 271
    async with session_factory.begin() as session:
        if is_given_back:
            note = await issued.issue_credit_note(session, receipt=receipt, amount_minor=71, now=now)
            await refunds.refund(session, credit_note=note, now=now)
        left = await promotions.credit_of(session, rider.account_id, "EUR")
        booked = await ledger.trial_balance(session, "EUR")
        rows = tables.Reservation
        trip = select(tables.Trip.reservation_id).where(tables.Trip.id == receipt.trip_id).scalar_subquery()
        await session.execute(update(rows).where(rows.id == trip).values(closed_at=now))
    assert left == (300 if is_given_back else 229)
    async with session_factory.begin() as session:
        await retention.forget_riders_of_reservations(session, before=now + timedelta(seconds=1))
        assert await promotions.credit_of(session, rider.account_id, "EUR") == left
        assert await ledger.trial_balance(session, "EUR") == booked
        assert await ledger.balance(session, LedgerAccount.PROMOTIONS, rider.account_id) == {"EUR": left}


async def code(till: Till, *, most: int = 10, amount: int = 500) -> None:
    async with till.sessions.begin() as session:
        await promotions.create_promotion(
            session,
            till.staff,
            promotion_id=ids.new(),
            code="welcome",
            metro_id=till.metro.id,
            amount=Money(amount, "EUR"),
            valid_until=till.clock.now() + timedelta(days=1),
            max_redemptions=most,
            now=till.clock.now(),
        )


async def redeem(till: Till, who: Actor) -> bool:
    try:
        async with till.sessions.begin() as session:
            await promotions.redeem_promotion(session, who, code=" Welcome", redemption_id=ids.new(), now=till.clock.now())
    except errors.PromotionClosed:
        return False
    return True


async def test_riders_who_redeem_at_once_get_no_more_than_there_is(till: Till) -> None:
    await code(till, most=3)
    async with till.sessions.begin() as session:
        riders = [await factories.add_rider(session) for _ in range(6)]
    done = await asyncio.gather(*(redeem(till, who) for who in riders for _ in range(2)))
    assert sum(done) == 3
    assert await till.booked(LedgerAccount.PROMOTIONS) == 1500 == -await till.booked(LedgerAccount.CREDIT)


async def test_a_rider_who_redeems_at_once_from_everywhere_gets_it_once(till: Till) -> None:
    await code(till)
    assert sum(await asyncio.gather(*(redeem(till, till.rider) for _ in range(5)))) == 1
    assert await till.credit() == 500


async def test_a_code_is_over_at_its_end(till: Till) -> None:
    await code(till)
    till.clock.advance(days=1)
    assert not await redeem(till, till.rider)


async def test_a_code_that_there_is_is_not_made_again(till: Till) -> None:
    await code(till)
    with pytest.raises(errors.InvalidInput):
        await code(till)


async def test_credit_is_used_first_and_shown_until_it_is_gone(till: Till) -> None:
    await till.card()
    await code(till)
    await redeem(till, till.rider)
    async with till.sessions() as session:
        assert await promotions.list_credit(session, till.rider.account_id) == [Money(500, "EUR")]
    await till.owe(300)
    assert (await till.credit(), await till.is_due()) == (200, False)
    await till.owe(1200)
    await till.charged()
    assert [row.captured_minor for row in await till.rows()] == [1000]
    async with till.sessions() as session:
        assert await promotions.list_credit(session, till.rider.account_id) == []
