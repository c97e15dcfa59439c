"""Prices are whole minor units, never shrink with time, and keep to the cap of a day."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database import SessionFactory
from domain import errors, pricing
from domain.values import Money, VehicleType
from tests import factories
from tests.domain.conftest import City

DAY = 24 * 60 * 60


def tariff(unlock: int = 100, per_minute: Decimal = Decimal("19"), day_cap: int | None = None) -> pricing.Tariff:
    return pricing.Tariff(
        id=UUID(int=1),
        metro_id=UUID(int=2),
        vehicle_type=VehicleType.BICYCLE,
        version=1,
        currency="EUR",
        unlock_minor=unlock,
        per_minute_minor=per_minute,
        day_cap_minor=day_cap,
        vat_percent=Decimal("19"),
    )


tariffs = st.builds(
    tariff,
    unlock=st.integers(0, 10_000),
    per_minute=st.decimals(0, 1000, places=4),
    day_cap=st.none() | st.integers(0, 100_000),
)
durations = st.integers(0, 10 * DAY)


@pytest.mark.parametrize(
    ("seconds", "minor"),
    [(0, 119), (1, 119), (60, 119), (61, 138), (600, 290), (3600, 1240)],
)
def test_every_started_minute_counts_and_one_at_least(seconds: int, minor: int) -> None:
    assert pricing.price(tariff(), seconds) == Money(minor, "EUR")


@pytest.mark.parametrize(
    ("seconds", "minor"),
    [(DAY - 60, 2100), (DAY, 2100), (DAY + 60, 2119), (2 * DAY, 4100), (2 * DAY + DAY // 2, 6100)],
)
def test_each_started_day_costs_its_cap_at_most(seconds: int, minor: int) -> None:
    assert pricing.price(tariff(day_cap=2000), seconds) == Money(minor, "EUR")


def test_half_a_unit_is_rounded_up_and_only_once() -> None:
    assert pricing.price(tariff(unlock=0, per_minute=Decimal("0.5")), 60).minor_units == 1
    assert pricing.price(tariff(unlock=0, per_minute=Decimal("0.3333")), 180).minor_units == 1


@given(tariffs, durations, durations)
def test_more_time_never_costs_less(one: pricing.Tariff, seconds: int, more: int) -> None:
    assert pricing.price(one, seconds).minor_units <= pricing.price(one, seconds + more).minor_units


@given(tariffs, durations)
def test_a_price_is_never_below_the_unlock_fee(one: pricing.Tariff, seconds: int) -> None:
    assert pricing.price(one, seconds).minor_units >= one.unlock_minor


@given(tariffs.filter(lambda one: one.day_cap_minor is not None), durations)
def test_a_price_is_never_above_its_caps(one: pricing.Tariff, seconds: int) -> None:
    days = -(-pricing.billed_minutes(seconds) // pricing.MINUTES_PER_DAY)
    assert pricing.price(one, seconds).minor_units <= one.unlock_minor + days * (one.day_cap_minor or 0)


@given(tariffs, st.integers(1, 5))
def test_a_cap_never_makes_a_ride_dearer(one: pricing.Tariff, days: int) -> None:
    uncapped = tariff(one.unlock_minor, one.per_minute_minor)
    assert pricing.price(one, days * DAY).minor_units <= pricing.price(uncapped, days * DAY).minor_units


async def test_the_newest_version_in_force_counts(session_factory: SessionFactory, city: City) -> None:
    tomorrow = factories.CREATED + timedelta(days=1)
    async with session_factory.begin() as session:
        await factories.add_tariff(session, city.metro, version=2, unlock_minor=200, valid_from=tomorrow)
    async with session_factory() as session:
        today = await pricing.get_tariff(session, city.metro.id, VehicleType.BICYCLE, factories.CREATED)
        later = await pricing.get_tariff(session, city.metro.id, VehicleType.BICYCLE, tomorrow)
        with pytest.raises(errors.NotFound):
            await pricing.get_tariff(session, city.metro.id, VehicleType.BICYCLE, factories.CREATED - timedelta(seconds=1))
    assert (today.version, later.version) == (1, 2)
