"""Receipts: numbered without a gap, booked as they are issued, never changed, given back at most once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionFactory
from domain import cancellations, errors, ids, ledger, payment_answers, payment_claims, receipts, tables
from domain.ports import Intent, IntentState
from domain.tables import ChargeCategory, LedgerAccount, LineKind, ReceiptSource, VatTreatment
from domain.values import FeeSettlement, Money, NotificationKind, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain import bookings, paid_rides
from tests.domain.conftest import City

HOUR = timedelta(hours=1)
FEE = Money(500, "EUR")


async def give_back(
    session_factory: SessionFactory, receipt_id: UUID, now: datetime, **wanted: object
) -> tuple[tables.Receipt, receipts.Receipt]:
    async with session_factory.begin() as session:
        receipt = await session.get_one(tables.Receipt, receipt_id)
        note = await receipts.issue_credit_note(session, receipt=receipt, now=now, **wanted)  # type: ignore[arg-type]
        shown = await receipts.find_unchecked(session, note.id)
        assert shown is not None
        return note, shown


async def books(session_factory: SessionFactory) -> dict[LedgerAccount, int]:
    async with session_factory() as session:
        return {account: minor for account, minor in (await ledger.trial_balance(session, "EUR")).items() if minor}


async def late_cancellation(session_factory: SessionFactory, city: City, now: datetime) -> UUID:
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, VehicleType.CAR, version=2, cancel_fee_minor=500)
    car = await bookings.new_vehicle(session_factory, city, VehicleType.CAR)
    booked = await bookings.reserve(session_factory, city.rider, car, now, ends_at=now + HOUR)
    await bookings.cancel(session_factory, city.rider, booked.id, now + HOUR / 2, accepted_fee=FEE)
    return booked.id


async def cancellation_receipt(session_factory: SessionFactory, reservation_id: UUID) -> tables.Receipt:
    rows = tables.Receipt
    own = select(rows).where(rows.reservation_id == reservation_id, rows.source == ReceiptSource.CANCELLATION)
    async with session_factory() as session:
        return (await session.execute(own)).scalar_one()


async def test_a_receipt_shows_its_lines_and_is_booked_as_it_is_issued(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    row = await paid_rides.issue(session_factory, city, clock.now(), left_in_wrong_place=True)
    async with session_factory() as session:
        shown = await receipts.get_receipt(session, city.rider, row.id)
    assert (shown.number, shown.source, shown.total, shown.owed_minor) == (
        "DE-2026-000001",
        ReceiptSource.TRIP,
        Money(2771, "EUR"),
        2771,
    )
    assert [(line.kind, line.quantity, line.unit_minor, line.amount_minor) for line in shown.lines] == [
        (LineKind.UNLOCK, 1, Decimal(100), 100),
        (LineKind.RIDING, 9, Decimal(19), 171),
        (LineKind.WRONG_PLACE, 1, Decimal(2500), 2500),
    ]
    assert [(share.percent, share.gross_minor, share.vat_minor) for share in shown.vat] == [(Decimal(19), 2771, 442)]
    assert await books(session_factory) == {
        LedgerAccount.RECEIVABLE: 2771,
        LedgerAccount.REVENUE: -228,
        LedgerAccount.FINES: -2101,
        LedgerAccount.VAT: -442,
    }


async def test_a_fine_out_of_scope_is_earned_whole(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    await paid_rides.issue(session_factory, city, clock.now(), is_late=True, fee_vat=VatTreatment.OUT_OF_SCOPE)
    found = await books(session_factory)
    assert (found[LedgerAccount.FINES], found[LedgerAccount.VAT]) == (-1000, -43)


async def test_the_rider_is_told_of_a_receipt_once(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    row = await paid_rides.issue(session_factory, city, clock.now())
    (told,) = await bookings.notified(session_factory, city.rider)
    assert told.kind is NotificationKind.RECEIPT_READY
    assert (told.facts["receiptId"], told.facts["number"], told.facts["totalMinor"]) == (str(row.id), row.number, 271)


async def test_a_trip_has_one_receipt(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    row = await paid_rides.issue(session_factory, city, clock.now())
    async with session_factory() as session:
        copy = {column.name: getattr(row, column.name) for column in tables.Receipt.__table__.columns}
        session.add(tables.Receipt(**copy | {"id": ids.new(), "number": "DE-2026-000002"}))
        with pytest.raises(IntegrityError, match="ix_receipts_one_per_trip"):
            await session.flush()


async def test_lines_are_never_changed(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    await paid_rides.issue(session_factory, city, clock.now())
    async with session_factory() as session:
        with pytest.raises(IntegrityError, match="only added to"):
            await session.execute(update(tables.ReceiptLine).values(amount_minor=1))


async def test_a_ride_that_costs_nothing_has_a_receipt_and_no_posting(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    row = await paid_rides.issue(session_factory, city, clock.now(), unlock_minor=0, per_minute_minor=0)
    assert (row.total_minor, row.number, await books(session_factory)) == (0, "DE-2026-000001", {})


async def test_numbers_have_no_gap_when_many_are_issued_at_once_and_some_fail(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        riders = [await factories.add_rider(session) for _ in range(12)]
    now = clock.now()

    async def one(number: int) -> None:
        await paid_rides.issue(session_factory, city, now, rider=riders[number], version=100 + number)

    async def failing(number: int) -> None:
        with pytest.raises(paid_rides.Undone):
            await paid_rides.issue(session_factory, city, now, is_undone=True, version=200 + number)

    await asyncio.gather(*(one(number) for number in range(12)), failing(0), failing(1))
    async with session_factory() as session:
        numbers = sorted((await session.execute(select(tables.Receipt.number))).scalars())
    assert numbers == [f"DE-2026-{number:06}" for number in range(1, 13)]


async def test_a_series_begins_with_the_year_of_the_metros_clock(session_factory: SessionFactory, city: City) -> None:
    """Berlin is an hour ahead: New Year comes at 23:00 UTC."""
    last_second = datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)
    numbers = []
    for version, now in enumerate((last_second, last_second + timedelta(seconds=1), last_second + HOUR), start=10):
        numbers.append((await paid_rides.issue(session_factory, city, now, version=version)).number)
    assert numbers == ["DE-2026-000001", "DE-2027-000001", "DE-2027-000002"]


async def test_riders_see_their_own_receipts_and_staff_those_of_their_metros(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    first, second = [(await paid_rides.issue(session_factory, city, clock.now(), version=version)).id for version in (10, 11)]
    async with session_factory.begin() as session:
        stranger = await factories.add_rider(session)
        elsewhere = await factories.add_member(session, city.dispatcher.role, await factories.add_metro(session))
    async with session_factory() as session:
        for who, expected in ((city.rider, [second, first]), (city.dispatcher, [second, first]), (stranger, []), (elsewhere, [])):
            assert [row.id for row in await receipts.list_receipts(session, who, limit=9)] == expected
            assert list(await receipts.find_receipts(session, who, [first])) == ([first] if expected else [])
        assert [row.id for row in await receipts.list_receipts(session, city.rider, before=second, limit=9)] == [first]
        of = {"customer_id": stranger.account_id}, {"metro_id": city.metro.id}
        assert [len(await receipts.list_receipts(session, city.dispatcher, **one, limit=9)) for one in of] == [0, 2]
        for who in (stranger, elsewhere):
            with pytest.raises(errors.NotFound):
                await receipts.get_receipt(session, who, first)


async def test_a_credit_note_gives_back_a_fine_with_its_vat_and_has_the_next_number(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    row = await paid_rides.issue(session_factory, city, clock.now(), left_in_wrong_place=True)
    note, shown = await give_back(session_factory, row.id, clock.now(), kinds=[LineKind.WRONG_PLACE])
    assert (note.number, note.corrects_id, note.total_minor, shown.owed_minor) == ("DE-2026-000002", row.id, -2500, 0)
    assert [(line.kind, line.category, line.amount_minor) for line in shown.lines] == [
        (LineKind.WRONG_PLACE, ChargeCategory.REFUND, -2500)
    ]
    assert await books(session_factory) == {
        LedgerAccount.RECEIVABLE: 271,
        LedgerAccount.REVENUE: -228,
        LedgerAccount.VAT: -(442 - 399),
    }


async def test_nothing_is_given_back_twice_and_no_more_than_was_charged(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now()
    row = await paid_rides.issue(session_factory, city, now, left_in_wrong_place=True)
    await give_back(session_factory, row.id, now, kinds=[LineKind.WRONG_PLACE])
    for wanted in ({"kinds": [LineKind.WRONG_PLACE]}, {"kinds": [LineKind.PAUSE]}, {"amount_minor": 272}, {"amount_minor": 0}):
        with pytest.raises(errors.InvalidInput):
            await give_back(session_factory, row.id, now, **wanted)
    _, some = await give_back(session_factory, row.id, now, amount_minor=150)
    assert [(line.kind, line.amount_minor) for line in some.lines] == [(LineKind.UNLOCK, -100), (LineKind.RIDING, -50)]
    note, rest = await give_back(session_factory, row.id, now)
    assert [(line.kind, line.amount_minor) for line in rest.lines] == [(LineKind.RIDING, -121)]
    with pytest.raises(errors.InvalidInput, match="given back before"):
        await give_back(session_factory, row.id, now)
    with pytest.raises(errors.NotFound):
        await give_back(session_factory, note.id, now)
    found = await books(session_factory)
    assert LedgerAccount.RECEIVABLE not in found
    assert abs(sum(found.values())) == 0


async def test_of_two_who_give_everything_back_at_once_one_does(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    row = await paid_rides.issue(session_factory, city, clock.now())
    both = (give_back(session_factory, row.id, clock.now()) for _ in range(2))
    outcomes = await asyncio.gather(*both, return_exceptions=True)
    assert [type(each) for each in outcomes if isinstance(each, BaseException)] == [errors.InvalidInput]


async def test_a_late_cancellation_issues_a_receipt_in_its_transaction(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    reservation_id = await late_cancellation(session_factory, city, clock.now())
    row = await cancellation_receipt(session_factory, reservation_id)
    async with session_factory() as session:
        (line,) = (await receipts.get_receipt(session, city.rider, row.id)).lines
    assert (row.number, row.total_minor, row.settled_minor) == ("DE-2026-000001", 500, 0)
    assert (line.kind, line.amount_minor, line.vat_percent) == (LineKind.CANCELLATION, 500, Decimal(19))
    assert await books(session_factory) == {
        LedgerAccount.RECEIVABLE: 500,
        LedgerAccount.REVENUE: -420,
        LedgerAccount.VAT: -80,
    }


async def settle(session: AsyncSession, city: City, reservation_id: UUID, settlement: FeeSettlement, now: datetime) -> None:
    await cancellations.settle_cancellation_fee(
        session, city.dispatcher, reservation_id=reservation_id, settlement=settlement, now=now
    )


@pytest.mark.parametrize(
    ("settlement", "expected"),
    [
        (FeeSettlement.PAID, {LedgerAccount.OUTSIDE: 500, LedgerAccount.REVENUE: -420, LedgerAccount.VAT: -80}),
        (FeeSettlement.WAIVED, {}),
    ],
)
async def test_a_fee_that_staff_settle_is_settled_in_the_books(
    session_factory: SessionFactory,
    city: City,
    clock: FixedClock,
    settlement: FeeSettlement,
    expected: dict[LedgerAccount, int],
) -> None:
    reservation_id = await late_cancellation(session_factory, city, clock.now())
    async with session_factory.begin() as session:
        await settle(session, city, reservation_id, settlement, clock.now())
    row = await cancellation_receipt(session_factory, reservation_id)
    assert (row.settled_minor, row.is_overdue) == (500, False)
    assert await books(session_factory) == expected


async def asked(session_factory: SessionFactory, receipt_id: UUID, now: datetime) -> UUID:
    """The payment of a receipt, taken by whoever asks the gateway."""
    async with session_factory.begin() as session:
        rows = tables.Payment
        own = select(rows.id).where(rows.receipt_id == receipt_id, rows.state == tables.PaymentState.PENDING)
        payment_id = (await session.execute(own)).scalar_one()
        assert len(await payment_claims.claim_payments(session, now=now, limit=9, only=payment_id)) == 1
        return payment_id


async def test_a_fee_is_collected_like_a_ride_and_settled_by_the_card(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    now = clock.now() + HOUR
    reservation_id = await late_cancellation(session_factory, city, clock.now())
    receipt = await cancellation_receipt(session_factory, reservation_id)
    payment_id = await asked(session_factory, receipt.id, now)
    async with session_factory.begin() as session:
        taken = Intent("pi_1", IntentState.SUCCEEDED, captured_minor=500)
        await payment_answers.record_intent(session, payment_id, taken, now)
    async with session_factory() as session:
        row = await session.get_one(tables.Reservation, reservation_id)
        assert (row.fee_settlement, row.fee_settled_at) == (FeeSettlement.PAID, now)
        with pytest.raises(errors.ReservationClosed):
            await settle(session, city, reservation_id, FeeSettlement.WAIVED, now)
    assert await books(session_factory) == {
        LedgerAccount.GATEWAY: 500,
        LedgerAccount.REVENUE: -420,
        LedgerAccount.VAT: -80,
    }


async def test_a_fee_that_is_being_charged_is_not_noted_as_paid_elsewhere(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    reservation_id = await late_cancellation(session_factory, city, clock.now())
    await asked(session_factory, (await cancellation_receipt(session_factory, reservation_id)).id, clock.now() + HOUR)
    async with session_factory() as session:
        with pytest.raises(errors.ReservationClosed, match="being charged"):
            await settle(session, city, reservation_id, FeeSettlement.PAID, clock.now())


async def test_a_fee_that_staff_settle_is_not_charged_any_more(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    reservation_id = await late_cancellation(session_factory, city, clock.now())
    receipt = await cancellation_receipt(session_factory, reservation_id)
    async with session_factory.begin() as session:
        await settle(session, city, reservation_id, FeeSettlement.PAID, clock.now())
    async with session_factory() as session:
        rows = tables.Payment
        states = (await session.execute(select(rows.state).where(rows.receipt_id == receipt.id))).scalars().all()
    assert states == [tables.PaymentState.CANCELLED]
