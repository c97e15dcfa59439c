"""Estimates of rides: within the range, and what they would cost."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import estimates, pricing
from domain.pricing import Tariff
from domain.values import LatLng, LegMode, Money, VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.conftest import City

HERE = LatLng(49.4, 8.7)
#: 4,000 m to the north
THERE = LatLng(HERE.lat + 4000 / 111_195.08, HERE.lon)
TARIFF = Tariff(UUID(int=1), UUID(int=2), VehicleType.BICYCLE, 1, "EUR", 100, Decimal(15), None, Decimal(19))


def test_ways_are_longer_than_the_great_circle_as_they_were_measured() -> None:
    found = {mode: estimates.way(mode, HERE, THERE) for mode in LegMode}
    assert {mode: way.distance_meters for mode, way in found.items()} == pytest.approx(
        {LegMode.WALK: 5400, LegMode.BICYCLE: 6000, LegMode.SCOOTER: 6000, LegMode.CAR: 7200}, abs=2
    )
    assert found[LegMode.BICYCLE].duration_seconds == pytest.approx(6000 / 16_000 * 3600, abs=1)


def test_a_ride_costs_its_started_minutes() -> None:
    found = estimates.estimate_ride(VehicleType.BICYCLE, HERE, THERE, range_meters=40_000, tariff=TARIFF)
    assert found.price == Money(100 + 23 * 15, "EUR")
    assert estimates.estimate_ride(VehicleType.BICYCLE, HERE, THERE, range_meters=40_000, tariff=None).price is None


@pytest.mark.parametrize(("range_meters", "is_reachable"), [(7100, True), (7000, False), (6000, False), (0, False)])
def test_a_destination_is_reachable_when_some_range_is_left_there(range_meters: int, is_reachable: bool) -> None:
    found = estimates.estimate_ride(VehicleType.VAN, HERE, THERE, range_meters=range_meters * 6 // 5, tariff=TARIFF)
    assert found.is_reachable is is_reachable


async def test_the_newest_version_in_force_is_found_of_every_type_and_metro(
    session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    async with session_factory.begin() as session:
        other = await factories.add_metro(session, currency="SEK")
        await factories.add_tariff(session, other, VehicleType.VAN)
        await factories.add_tariff(session, city.metro, VehicleType.CAR, version=2, unlock_minor=7)
        clock.advance(days=1)
        await factories.add_tariff(session, city.metro, VehicleType.CAR, version=3, valid_from=clock.now())
        clock.advance(seconds=-1)
        found = await pricing.find_tariffs(session, [city.metro.id, other.id], clock.now())
    assert {kind: tariff.version for kind, tariff in found[city.metro.id].items()} == {
        VehicleType.SCOOTER_STANDING: 1,
        VehicleType.BICYCLE: 1,
        VehicleType.CAR: 2,
        VehicleType.VAN: 1,
    }
    assert [(tariff.currency, kind) for kind, tariff in found[other.id].items()] == [("SEK", VehicleType.VAN)]
