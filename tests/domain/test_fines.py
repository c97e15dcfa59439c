"""A fine says why, may be appealed against once and in time, and a person decides; what is waived is given back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from app.database import SessionFactory
from domain import erasure, errors, fines, ids, ledger, meters, pricing, receipts, tables
from domain.actor import Actor, Role
from domain.tables import FineKind, FineState, LedgerAccount, LineKind, ReceiptSource
from domain.values import LatLng, Money, NotificationKind, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.bookings import notified
from tests.domain.conftest import City

DAY = timedelta(days=1)
WRONG_PLACE = {"refusals": ["no_parking_zone"]}


async def fined(session_factory: SessionFactory, city: City, clock: FixedClock) -> list[fines.Fine]:
    """Of a car that came back late and stood in a wrong place: what that cost its rider, the first kind first."""
    now, due = clock.now(), clock.now() - timedelta(minutes=40)
    async with session_factory.begin() as session:
        row = await factories.add_tariff(
            session, city.metro, VehicleType.CAR, version=7, late_fine_minor=2000, wrong_place_fine_minor=5000
        )
        car = await factories.add_vehicle(session, city.metro, VehicleType.CAR)
        started = now - timedelta(hours=1)
        trip = await factories.add_trip(
            session, car, row, city.rider.account_id, started_at=started, ended_at=now, closed_at=now, end_lat=49.4, end_lon=8.7
        )
        photo = await factories.add_photo(session, city.rider.account_id)
        tariff = await pricing.get_tariff_version(session, row.id)
        bill = meters.bill(tariff, meters.Ride(started, now, fined_after=due, left_in_wrong_place=True))
        receipt = await receipts.issue_trip_receipt(session, trip=trip, tariff=tariff, bill=bill, country_code="DE", now=now)
        evidence: dict[FineKind, dict[str, Any]] = {
            FineKind.LATE_RETURN: {"dueAt": due.isoformat()},
            FineKind.WRONG_PLACE: WRONG_PLACE,
        }
        given: dict[str, Any] = {"trip": trip, "receipt": receipt, "bill": bill, "photo_id": photo.id, "now": now}
        await fines.issue(session, evidence=evidence, **given)
    async with session_factory() as session:
        return list(reversed(await fines.list_fines(session, city.rider, before=None, limit=10)))


async def appeal(
    session_factory: SessionFactory, who: Actor, fine_id: UUID, clock: FixedClock, text: str = " I was stuck. "
) -> fines.Fine:
    async with session_factory.begin() as session:
        await fines.appeal_fine(session, who, fine_id=fine_id, text=text, now=clock.now())
        return await fines.get_fine(session, who, fine_id)


async def decide(
    session_factory: SessionFactory,
    who: Actor,
    fine_id: UUID,
    clock: FixedClock,
    state: FineState = FineState.WAIVED,
    reason: str = "The road was closed.",
) -> fines.Fine:
    async with session_factory.begin() as session:
        await fines.decide_appeal(session, who, fine_id=fine_id, state=state, reason=reason, now=clock.now())
        return await fines.get_fine(session, who, fine_id)


async def the_receipt(session_factory: SessionFactory, source: ReceiptSource) -> tables.Receipt | None:
    async with session_factory() as session:
        return (await session.execute(select(tables.Receipt).where(tables.Receipt.source == source))).scalar_one_or_none()


async def receivable(session_factory: SessionFactory, city: City) -> int:
    async with session_factory() as session:
        found = await ledger.balance(session, LedgerAccount.RECEIVABLE, customer_id=city.rider.account_id)
    return found["EUR"]


async def test_every_line_that_is_a_fine_is_one_with_what_shows_why(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, wrong = await fined(session_factory, city, clock)
    assert [(one.kind, one.amount, one.state) for one in (late, wrong)] == [
        (FineKind.LATE_RETURN, Money(2000, "EUR"), FineState.ISSUED),
        (FineKind.WRONG_PLACE, Money(5000, "EUR"), FineState.ISSUED),
    ]
    assert late.evidence == {
        "dueAt": (clock.now() - timedelta(minutes=40)).isoformat(),
        "endedAt": clock.now().isoformat(),
    }
    assert late.explanation == "The vehicle was due back at Sat 21 Nov, 08:50 and came back at Sat 21 Nov, 09:30."
    assert (wrong.position, wrong.evidence["refusals"]) == (LatLng(49.4, 8.7), ["no_parking_zone"])
    assert "where no ride may end" in (wrong.explanation or "")
    assert late.appeal_until == clock.now() + 14 * DAY
    assert late.photo_id is not None
    told = [one for one in await notified(session_factory, city.rider) if one.kind is NotificationKind.FINE_ISSUED]
    assert [(one.facts["fineKind"], one.facts["amountMinor"]) for one in told] == [("late_return", 2000), ("wrong_place", 5000)]


async def test_a_bill_without_fines_issues_none(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    bill = meters.total_of([], "EUR")
    async with session_factory.begin() as session:
        bike = await factories.add_vehicle(session, city.metro)
        trip = await factories.add_trip(session, bike, city.tariffs[VehicleType.BICYCLE], city.rider.account_id)
        receipt = await factories.add_receipt(session, city.metro, city.rider.account_id)
        given: dict[str, Any] = {"trip": trip, "receipt": receipt, "bill": bill, "photo_id": None, "now": clock.now()}
        await fines.issue(session, evidence={}, **given)
        assert await fines.list_fines(session, city.rider, before=None, limit=10) == []


async def test_a_fine_is_explained_in_the_language_of_its_rider_and_not_at_all_once_its_evidence_is_forgotten(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, wrong = await fined(session_factory, city, clock)
    async with session_factory.begin() as session:
        await session.execute(update(tables.Customer).values(language="de"))
        assert "fällig" in ((await fines.get_fine(session, city.rider, late.id)).explanation or "")
        await session.execute(update(tables.Fine).values(evidence={}))
        assert (await fines.get_fine(session, city.rider, late.id)).explanation is None
        assert (await fines.get_fine(session, city.rider, wrong.id)).position is None


async def test_an_appeal_is_taken_once_until_the_instant_at_which_its_time_is_over(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, wrong = await fined(session_factory, city, clock)
    clock.advance(days=14)
    appealed = await appeal(session_factory, city.rider, late.id, clock)
    assert (appealed.state, appealed.appeal_text, appealed.appealed_at) == (FineState.APPEALED, "I was stuck.", clock.now())
    with pytest.raises(errors.FineClosed, match="appealed against once"):
        await appeal(session_factory, city.rider, late.id, clock)
    assert wrong.may_be_appealed(clock.now())
    clock.advance(seconds=1)
    assert not wrong.may_be_appealed(clock.now())
    with pytest.raises(errors.FineClosed, match="until 2026-12-05"):
        await appeal(session_factory, city.rider, wrong.id, clock)


async def test_nobody_appeals_against_the_fine_of_somebody_else(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, _ = await fined(session_factory, city, clock)
    async with session_factory.begin() as session:
        other = await factories.add_rider(session)
    for wanted in (late.id, ids.new()):
        with pytest.raises(errors.NotFound):
            await appeal(session_factory, other, wanted, clock)
    async with session_factory() as session:
        assert await fines.find_fine(session, other, late.id) is None
        assert await fines.list_fines(session, other, before=None, limit=10) == []


@pytest.mark.parametrize("text", ["", "  ", "x" * 2001, "a\0b", "\ud800"])
async def test_an_appeal_has_words(session_factory: SessionFactory, city: City, clock: FixedClock, text: str) -> None:
    late, _ = await fined(session_factory, city, clock)
    with pytest.raises(errors.InvalidInput) as refusal:
        await appeal(session_factory, city.rider, late.id, clock, text)
    assert refusal.value.path == ["text"]


async def test_what_is_waived_is_owed_no_more_with_a_credit_note_and_the_rider_is_told(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, _ = await fined(session_factory, city, clock)
    owed = await receivable(session_factory, city)
    await appeal(session_factory, city.rider, late.id, clock)
    decided = await decide(session_factory, city.dispatcher, late.id, clock)
    assert (decided.state, decided.decided_by) == (FineState.WAIVED, city.dispatcher.account_id)
    note = await the_receipt(session_factory, ReceiptSource.CREDIT_NOTE)
    assert note is not None
    assert (note.total_minor, note.corrects_id) == (-2000, late.receipt_id)
    assert owed - await receivable(session_factory, city) == 2000
    receipt = await the_receipt(session_factory, ReceiptSource.TRIP)
    assert receipt is not None
    assert receipt.settled_minor == 2000, "the rest is still owed"
    last = (await notified(session_factory, city.rider))[-1]
    assert (last.kind, last.facts["state"], last.facts["reason"]) == (
        NotificationKind.APPEAL_DECIDED,
        "waived",
        "The road was closed.",
    )


async def test_what_was_paid_for_a_fine_that_is_waived_goes_back_to_the_card(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, _ = await fined(session_factory, city, clock)
    async with session_factory.begin() as session:
        receipt = await session.get_one(tables.Receipt, late.receipt_id)
        receipt.settled_minor = receipt.total_minor
        given: dict[str, Any] = {"state": tables.PaymentState.SUCCEEDED, "amount_minor": receipt.total_minor}
        await session.flush()
        paid = tables.Payment(
            customer_id=city.rider.account_id,
            purpose=tables.PaymentPurpose.RECEIPT,
            receipt_id=receipt.id,
            currency="EUR",
            captured_minor=receipt.total_minor,
            gateway_ref="pi_1",
            created_at=clock.now(),
            updated_at=clock.now(),
            **given,
        )
        session.add(paid)
    await appeal(session_factory, city.rider, late.id, clock)
    await decide(session_factory, city.dispatcher, late.id, clock)
    async with session_factory() as session:
        refund = (await session.execute(select(tables.Refund))).scalar_one()
    assert (refund.amount_minor, refund.state, refund.payment_id) == (2000, tables.RefundState.PENDING, paid.id)


async def test_what_is_upheld_changes_no_money(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    late, _ = await fined(session_factory, city, clock)
    owed = await receivable(session_factory, city)
    await appeal(session_factory, city.rider, late.id, clock)
    await decide(session_factory, city.dispatcher, late.id, clock, FineState.UPHELD, "The photo shows it.")
    assert await receivable(session_factory, city) == owed
    assert await the_receipt(session_factory, ReceiptSource.CREDIT_NOTE) is None
    with pytest.raises(errors.FineClosed, match="decided"):
        await decide(session_factory, city.dispatcher, late.id, clock)


async def test_what_staff_gave_back_before_is_waived_and_not_given_back_twice(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, _ = await fined(session_factory, city, clock)
    await appeal(session_factory, city.rider, late.id, clock)
    async with session_factory.begin() as session:
        receipt = await session.get_one(tables.Receipt, late.receipt_id)
        await receipts.issue_credit_note(session, receipt=receipt, kinds=[LineKind.LATE_RETURN], now=clock.now())
    owed = await receivable(session_factory, city)
    assert (await decide(session_factory, city.dispatcher, late.id, clock)).state is FineState.WAIVED
    assert await receivable(session_factory, city) == owed


async def test_of_two_who_decide_at_once_one_does(session_factory: SessionFactory, city: City, clock: FixedClock) -> None:
    late, _ = await fined(session_factory, city, clock)
    await appeal(session_factory, city.rider, late.id, clock)
    tries = [decide(session_factory, city.dispatcher, late.id, clock) for _ in range(2)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["Fine", "FineClosed"]
    async with session_factory() as session:
        notes = select(func.count()).where(tables.Receipt.source == ReceiptSource.CREDIT_NOTE)
        assert (await session.execute(notes)).scalar_one() == 1


async def test_staff_decide_with_a_reason_what_was_appealed_against_in_their_metros(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, _ = await fined(session_factory, city, clock)
    with pytest.raises(errors.FineClosed, match="nobody has appealed"):
        await decide(session_factory, city.dispatcher, late.id, clock)
    await appeal(session_factory, city.rider, late.id, clock)
    async with session_factory.begin() as session:
        stranger = await factories.add_member(session, Role.DISPATCHER, await factories.add_metro(session))
    for wanted in (late.id, ids.new()):
        with pytest.raises(errors.NotFound):
            await decide(session_factory, stranger, wanted, clock)
    for state, reason, path in ((FineState.APPEALED, "Why", "state"), (FineState.UPHELD, " ", "reason")):
        with pytest.raises(errors.InvalidInput) as refusal:
            await decide(session_factory, city.dispatcher, late.id, clock, state, reason)
        assert [issue.path for issue in refusal.value.issues] == [path]


async def test_who_waits_longest_for_a_decision_comes_first(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, wrong = await fined(session_factory, city, clock)
    await appeal(session_factory, city.rider, wrong.id, clock)
    first_at = clock.now()
    clock.advance(hours=1)
    await appeal(session_factory, city.rider, late.id, clock)
    async with session_factory.begin() as session:
        stranger = await factories.add_member(session, Role.DISPATCHER, await factories.add_metro(session))

        async def listed(who: Actor, **given: Any) -> list[UUID]:
            wanted: dict[str, Any] = {"metro_id": None, "after": None, "limit": 9, **given}
            return [row.id for row in await fines.list_appealed_fines(session, who, **wanted)]

        assert await listed(city.dispatcher) == [wrong.id, late.id]
        assert await listed(city.dispatcher, metro_id=city.metro.id, after=(first_at, wrong.id)) == [late.id]
        assert await listed(stranger) == []


async def test_an_appeal_that_is_not_decided_keeps_the_account(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    late, _ = await fined(session_factory, city, clock)
    await appeal(session_factory, city.rider, late.id, clock)

    async def blockers() -> list[str]:
        async with session_factory() as session:
            found = [await find(session, city.rider.account_id, clock.now()) for find in erasure.BLOCKERS]
        return [one.id for each in found for one in each if one.code is erasure.BlockerCode.OPEN_APPEAL]

    assert await blockers() == [ids.encode(ids.FINE, late.id)]
    await decide(session_factory, city.dispatcher, late.id, clock, FineState.UPHELD)
    assert await blockers() == []
