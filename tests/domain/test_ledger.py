"""The books balance, whoever writes them, and nobody changes what was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from sqlalchemy import text, update
from sqlalchemy.exc import IntegrityError

from app.database import SessionFactory
from domain import ids, ledger, meters, receipt_lines, tables
from domain.tables import LedgerAccount
from tests.conftest import FixedClock
from tests.domain import ride_cases
from tests.domain.conftest import City

CAPTURED = {LedgerAccount.GATEWAY: 271, LedgerAccount.RECEIVABLE: -271}


async def post(
    session_factory: SessionFactory,
    city: City,
    clock: FixedClock,
    key: str = "payment:1:captured",
    entries: dict[LedgerAccount, int] | None = None,
    currency: str = "EUR",
) -> bool:
    async with session_factory.begin() as session:
        return await ledger.post(
            session,
            key=key,
            entries=CAPTURED if entries is None else entries,
            currency=currency,
            customer_id=city.rider.account_id,
            receipt_id=None,
            at=clock.now(),
        )


async def test_what_happened_is_posted_once_whatever_comes_twice(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    assert await post(session_factory, city, clock)
    assert not await post(session_factory, city, clock)
    assert not await post(session_factory, city, clock, entries={LedgerAccount.CREDIT: -5, LedgerAccount.PROMOTIONS: 5})
    async with session_factory() as session:
        assert await ledger.trial_balance(session, "EUR") == CAPTURED


async def test_balances_are_told_by_account_currency_and_customer(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    await post(session_factory, city, clock)
    await post(session_factory, city, clock, "other", currency="PLN")
    async with session_factory() as session:
        assert await ledger.balance(session, LedgerAccount.GATEWAY) == {"EUR": 271, "PLN": 271}
        assert await ledger.balance(session, LedgerAccount.RECEIVABLE, city.rider.account_id) == {"EUR": -271, "PLN": -271}
        assert await ledger.balance(session, LedgerAccount.GATEWAY, ids.new()) == {}


async def test_what_does_not_sum_to_zero_is_a_fault(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    with pytest.raises(ValueError, match="do not sum to zero"):
        await post(session_factory, city, clock, entries={LedgerAccount.GATEWAY: 271, LedgerAccount.RECEIVABLE: -270})


async def test_nothing_is_posted_where_nothing_moves(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    assert not await post(session_factory, city, clock, entries={LedgerAccount.REVENUE: 0, LedgerAccount.RECEIVABLE: 0})
    async with session_factory() as session:
        assert await ledger.trial_balance(session, "EUR") == {}


async def test_the_database_refuses_a_transaction_that_does_not_balance(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async def one_sided() -> None:
        async with session_factory.begin() as session:
            move = tables.LedgerTransaction(key="bad", at=clock.now())
            session.add(move)
            await session.flush()
            entry = {"account": LedgerAccount.GATEWAY, "currency": "EUR", "amount_minor": 1}
            session.add(tables.LedgerEntry(transaction_id=move.id, position=1, **entry))
            await session.flush()

    with pytest.raises(IntegrityError, match="do not sum to zero"):
        await one_sided()


async def test_currencies_do_not_balance_each_other(session_factory: SessionFactory, clock: FixedClock) -> None:
    async def exchanged() -> None:
        async with session_factory.begin() as session:
            move = tables.LedgerTransaction(key="bad", at=clock.now())
            session.add(move)
            await session.flush()
            for position, (currency, minor) in enumerate((("EUR", 100), ("PLN", -100)), start=1):
                account = LedgerAccount.GATEWAY
                entry = {"position": position, "account": account, "currency": currency, "amount_minor": minor}
                session.add(tables.LedgerEntry(transaction_id=move.id, **entry))
            await session.flush()

    with pytest.raises(IntegrityError, match="do not sum to zero"):
        await exchanged()


async def test_what_was_posted_is_never_changed(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    await post(session_factory, city, clock)
    async with session_factory() as session:
        with pytest.raises(IntegrityError, match="only added to"):
            await session.execute(update(tables.LedgerEntry).values(amount_minor=text("-amount_minor")))


@given(ride_cases.cases())
def test_every_bill_sums_to_zero_in_the_books(case: ride_cases.Case) -> None:
    bill = meters.bill(case.tariff, case.ride)
    entries = receipt_lines.entries_of(bill)
    assert sum(entries.values()) == 0
    assert entries[LedgerAccount.RECEIVABLE] == bill.total.minor_units
    assert entries[LedgerAccount.VAT] == -sum(share.vat_minor for share in bill.vat)
    assert entries[LedgerAccount.FINES] <= 0
