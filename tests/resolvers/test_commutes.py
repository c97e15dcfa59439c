"""Reserving for a commute: the nearest vehicle that will do, another when somebody is faster, and once a key."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select

from app.auth import AccessTokens
from app.database import SessionFactory
from app.doorbell import Doorbell
from app.main import build_runtime
from app.settings import Settings
from domain import commutes, errors, ids, reservations, tables
from domain.actor import Actor
from domain.commutes import Draft, End
from domain.values import LatLng, VehicleType
from resolvers import commutes as resolver
from resolvers.context import Ctx, Runtime
from resolvers.streams import Feed
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City, city

__all__ = ["city"]
ORIGIN = factories.CENTER
DESTINATION = LatLng(49.42, 8.69)


def north(meters: float) -> LatLng:
    return LatLng(ORIGIN.lat + meters / 111_195, ORIGIN.lon)


@dataclass
class Scene:
    runtime: Runtime
    city: City
    clock: FixedClock
    commute_ids: dict[UUID, UUID] = field(default_factory=dict)

    async def add_vehicle(self, kind: VehicleType, meters: float, **given: Any) -> UUID:
        async with self.runtime.transaction() as session:
            return (await factories.add_vehicle(session, self.city.metro, kind, at=north(meters), **given)).id

    async def commuter(self, *modes: VehicleType, has_licence: bool = True) -> Actor:
        ends = End(None, "Zoo", ORIGIN), End(None, "Lab", DESTINATION)
        wanted = Draft("To work", self.city.metro.id, *ends, [1], time(8), modes, None, is_paused=True)
        async with self.runtime.transaction() as session:
            who = factories.rider(await factories.add_customer(session, has_licence=has_licence))
            saved = await commutes.save_commute(session, who, wanted, commute_id=None, now=self.clock.now())
        self.commute_ids[who.account_id] = saved.id
        return who

    async def reserve(self, who: Actor, key: str = "1") -> reservations.Reservation:
        commute_id = ids.encode(ids.COMMUTE, self.commute_ids[who.account_id])
        ctx = Ctx(self.runtime, who, "127.0.0.1", "test")
        return (await resolver.reserve_for_commute(ctx, commute_id=commute_id, idempotency_key=key))[0]


@pytest.fixture
async def scene(session_factory: SessionFactory, city: City, clock: FixedClock) -> Scene:
    settings = Settings(signing_key="k" * 32)
    feed = Feed(session_factory, Doorbell.at("memory://", ""))
    tokens = AccessTokens(settings.secret(), clock, minutes=5)
    return Scene(build_runtime(settings, session_factory, tokens, feed, clock), city, clock)


async def test_the_nearest_vehicle_that_will_do_is_held(scene: Scene) -> None:
    await scene.add_vehicle(VehicleType.SCOOTER_STANDING, 10)
    await scene.add_vehicle(VehicleType.BICYCLE, 20, current_range_meters=500)
    nearest = await scene.add_vehicle(VehicleType.BICYCLE, 100)
    await scene.add_vehicle(VehicleType.BICYCLE, 200)
    held = await scene.reserve(await scene.commuter(VehicleType.BICYCLE))
    assert held.vehicle.id == nearest
    assert (held.starts_at, held.ends_at) == (scene.clock.now(), None)
    assert held.quoted is not None


async def test_a_car_is_booked_for_the_way_and_fifteen_minutes_at_least(scene: Scene) -> None:
    car = await scene.add_vehicle(VehicleType.CAR, 100)
    booked = await scene.reserve(await scene.commuter(VehicleType.CAR, VehicleType.VAN))
    assert booked.vehicle.id == car
    assert booked.ends_at == scene.clock.now() + timedelta(minutes=15)
    await scene.add_vehicle(VehicleType.VAN, 100)
    with pytest.raises(errors.DrivingLicenceRequired):
        await scene.reserve(await scene.commuter(VehicleType.VAN, has_licence=False))


async def test_of_four_who_tap_at_once_three_get_the_three_bikes(scene: Scene) -> None:
    bikes = {await scene.add_vehicle(VehicleType.BICYCLE, meters) for meters in (10, 20, 30)}
    riders = [await scene.commuter(VehicleType.BICYCLE) for _ in range(4)]
    outcomes = await asyncio.gather(*(scene.reserve(who) for who in riders), return_exceptions=True)
    assert {one.vehicle.id for one in outcomes if isinstance(one, reservations.Reservation)} == bikes
    assert [type(one) for one in outcomes if isinstance(one, BaseException)] == [errors.VehicleUnavailable]


async def test_the_same_key_is_one_reservation_and_another_commute_a_conflict(scene: Scene) -> None:
    for meters in (10, 20):
        await scene.add_vehicle(VehicleType.BICYCLE, meters)
    who = await scene.commuter(VehicleType.BICYCLE)
    twice = await asyncio.gather(scene.reserve(who), scene.reserve(who))
    assert twice[0].id == twice[1].id == (await scene.reserve(who)).id
    async with scene.runtime.reading() as session:
        assert (await session.execute(select(func.count()).select_from(tables.Reservation))).scalar_one() == 1
    scene.commute_ids[who.account_id] = ids.new()
    with pytest.raises(errors.IdempotencyConflict):
        await scene.reserve(who)
    with pytest.raises(errors.NotFound):
        await scene.reserve(who, "2")


async def test_a_refusal_is_unmet_demand_and_leaves_the_key_for_another_try(scene: Scene) -> None:
    await scene.add_vehicle(VehicleType.BICYCLE, 1001)
    who = await scene.commuter(VehicleType.BICYCLE)
    with pytest.raises(errors.VehicleUnavailable):
        await scene.reserve(who)
    await scene.runtime.unmet_demand.settle()
    async with scene.runtime.reading() as session:
        [unmet] = (await session.execute(select(tables.UnmetDemand.vehicle_type))).scalars()
    assert unmet is VehicleType.BICYCLE
    bike = await scene.add_vehicle(VehicleType.BICYCLE, 10)
    assert (await scene.reserve(who)).vehicle.id == bike
