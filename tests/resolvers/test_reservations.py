"""What riders and staff do with reservations, once a key, and what each refusal says."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from app.database import SessionFactory
from domain import errors, eventlog, ids, listings
from domain.values import FeeSettlement, Money, ReservationState, VehicleType
from resolvers import reservations
from resolvers.context import Ctx
from tests import factories
from tests.conftest import FixedClock
from tests.log import settled_after
from tests.resolvers.front import asking, runtime_of

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Scene:
    rider: Ctx
    other: Ctx
    staff: Ctx
    metro_id: Any
    #: public ids, two of them beside each other
    cars: list[str]


@pytest.fixture
async def scene(session_factory: SessionFactory, clock: FixedClock) -> Scene:
    runtime = runtime_of(session_factory, clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
        for kind in (VehicleType.CAR, VehicleType.BICYCLE):
            await factories.add_tariff(session, metro, kind, cancel_fee_minor=500)
        cars = [await factories.add_vehicle(session, metro, VehicleType.CAR) for _ in range(2)]
        people = [await factories.add_rider(session), await factories.add_rider(session), await factories.add_member(session)]
    rider, other, staff = (asking(runtime, who) for who in people)
    return Scene(rider, other, staff, metro.id, [ids.encode(ids.VEHICLE, car.published_id) for car in cars])


async def book(scene: Scene, who: Ctx, car: int, start: timedelta, length: timedelta = HOUR) -> str:
    now = who.runtime.clock.now()
    row, _ = await reservations.reserve_vehicle(
        who,
        customer_id=who.who.account_id,
        vehicle_id=scene.cars[car],
        starts_at=now + start,
        ends_at=now + start + length,
        expected_minutes=None,
        idempotency_key=str(now + start),
    )
    return ids.encode(ids.RESERVATION, row.id)


async def change(who: Ctx, reservation_id: str, key: str = "change", **given: Any) -> reservations.Outcome:
    asked = {"starts_at": None, "ends_at": None, "expected_minutes": None, "vehicle_id": None, **given}
    return await reservations.change_reservation(who, reservation_id=reservation_id, idempotency_key=key, **asked)


async def test_a_key_changes_once_and_another_input_under_it_nothing(scene: Scene, clock: FixedClock) -> None:
    booked = await book(scene, scene.rider, 0, 2 * HOUR)
    until = clock.now() + 4 * HOUR
    first, _ = await change(scene.rider, booked, ends_at=until)
    assert (await change(scene.rider, booked, ends_at=until))[0] == first
    with pytest.raises(errors.IdempotencyConflict):
        await change(scene.rider, booked, ends_at=until + HOUR)
    clock.advance(hours=3)
    assert (await change(scene.rider, booked, ends_at=until))[0] == first, "the answer of then, though it has begun"


async def test_acts_that_meet_are_told_in_the_order_in_which_they_happened(
    scene: Scene, clock: FixedClock, session_factory: SessionFactory
) -> None:
    """The last that the rider hears of a reservation is what it is."""

    async def act(booked: str, number: int) -> None:
        with suppress(errors.ReservationClosed):
            if number == 2:
                await reservations.cancel_reservation(scene.rider, reservation_id=booked, idempotency_key=f"{booked} {number}")
            else:
                await change(scene.rider, booked, f"{booked} {number}", ends_at=clock.now() + DAY + (number + 2) * HOUR)

    for _ in range(8):
        booked = await book(scene, scene.rider, 0, DAY)
        await asyncio.gather(*(act(booked, number) for number in range(6)))
        clock.advance(seconds=1)
    async with session_factory() as session:
        topic = eventlog.rider_topic(scene.rider.who.account_id)
        events = (await settled_after(session, topic, eventlog.Position(1, 0, 0))).events
    last = {event.payload["reservationId"]: event.payload["state"] for event in events}
    assert set(last.values()) == {"cancelled"}
    assert len(last) == 8


async def test_a_refusal_names_what_is_free_and_leaves_no_key(scene: Scene, clock: FixedClock) -> None:
    mine, _ = await book(scene, scene.rider, 0, DAY), await book(scene, scene.other, 0, DAY + 2 * HOUR)
    later = clock.now() + DAY + 3 * HOUR
    with pytest.raises(errors.VehicleUnavailable) as refused_change:
        await change(scene.rider, mine, "1", ends_at=later)
    with pytest.raises(errors.VehicleUnavailable) as refusal:
        await reservations.extend_reservation(scene.rider, reservation_id=mine, ends_at=later, idempotency_key="1")
    for each in (refused_change, refusal):
        assert [ids.encode(ids.VEHICLE, car.published_id) for car in each.value.alternatives] == [scene.cars[1]]
    assert refusal.value.free_until == clock.now() + DAY + 2 * HOUR
    row, _ = await reservations.extend_reservation(
        scene.rider, reservation_id=mine, ends_at=refusal.value.free_until, idempotency_key="1"
    )
    assert row.ends_at == refusal.value.free_until


async def test_what_belongs_to_others_is_not_found(scene: Scene, clock: FixedClock) -> None:
    booked = await book(scene, scene.rider, 0, DAY)
    with pytest.raises(errors.NotFound):
        await change(scene.other, booked, ends_at=clock.now() + DAY + 2 * HOUR)
    with pytest.raises(errors.NotFound):
        await reservations.extend_reservation(
            scene.other, reservation_id=booked, ends_at=clock.now() + 2 * DAY, idempotency_key="1"
        )
    with pytest.raises(errors.InvalidInput) as refusal:
        await change(scene.rider, scene.cars[0], ends_at=clock.now())
    assert refusal.value.path == ["reservationId"]
    row, _ = await change(scene.staff, f"ops_{booked}", ends_at=clock.now() + DAY + 2 * HOUR)
    assert row.ends_at == clock.now() + DAY + 2 * HOUR


async def test_a_fee_is_accepted_charged_and_settled_once_a_key(scene: Scene, clock: FixedClock) -> None:
    booked = await book(scene, scene.rider, 0, DAY)
    clock.advance(hours=23, minutes=30)
    given: dict[str, Any] = {"reservation_id": booked, "idempotency_key": "cancel"}
    with pytest.raises(errors.CancellationFee) as refusal:
        await reservations.cancel_reservation(scene.rider, **given)
    for _ in range(2):
        row, _ = await reservations.cancel_reservation(scene.rider, **given, accepted_fee=refusal.value.fee)
        assert (row.state, row.cancel_fee) == (ReservationState.CANCELLED, Money(500, "EUR"))
    with pytest.raises(errors.IdempotencyConflict):
        await reservations.cancel_reservation(scene.rider, **given)
    settle: dict[str, Any] = {"reservation_id": f"ops_{booked}", "idempotency_key": "settle"}
    for _ in range(2):
        settled = await reservations.settle_cancellation_fee(scene.staff, **settle, settlement=FeeSettlement.PAID)
        assert (settled.fee_settlement, settled.fee_settled_at) == (FeeSettlement.PAID, clock.now())
    with pytest.raises(errors.IdempotencyConflict):
        await reservations.settle_cancellation_fee(scene.staff, **settle, settlement=FeeSettlement.WAIVED)


async def test_a_list_shows_what_fits_in_pages_and_never_another_riders(scene: Scene, clock: FixedClock) -> None:
    now = clock.now()
    mine = [await book(scene, scene.rider, 0, n * DAY) for n in range(1, 4)]
    await book(scene, scene.other, 1, DAY)
    await reservations.cancel_reservation(scene.rider, reservation_id=mine[0], idempotency_key="cancel")

    async def shown(who: Ctx, first: int = 10, after: str | None = None, **wanted: Any) -> list[str]:
        page = await reservations.list_reservations(who, wanted=listings.Wanted(**wanted), first=first, after=after)
        return [ids.encode(ids.RESERVATION, row.id) for row in page.items]

    assert await shown(scene.rider) == mine[::-1]
    assert await shown(scene.rider, customer_id=scene.other.who.account_id) == mine[::-1], "riders ask for their own"
    assert await shown(scene.rider, states=[ReservationState.CANCELLED]) == mine[:1]
    assert await shown(scene.rider, vehicle_types=[VehicleType.BICYCLE]) == []
    assert await shown(scene.rider, metro_id=ids.new()) == []
    assert await shown(scene.rider, starts_after=now + 2 * DAY) == mine[:0:-1], "that instant included"
    assert await shown(scene.rider, starts_before=now + 3 * DAY) == mine[1::-1], "that instant not"
    assert len(await shown(scene.staff, metro_id=scene.metro_id)) == 4
    assert await shown(scene.staff, customer_id=scene.rider.who.account_id, states=[ReservationState.CONFIRMED]) == mine[:0:-1]
    page = await reservations.list_reservations(scene.rider, wanted=listings.Wanted(), first=2, after=None)
    assert await shown(scene.rider, after=page.cursors[-1]) == mine[:1]
