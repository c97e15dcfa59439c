"""A metro with one tariff a vehicle type, for rules that need rows."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import chat, tables
from domain.actor import Actor
from domain.values import VehicleType
from tests import factories
from tests.conftest import FixedClock
from tests.domain.tills import Till


@dataclass(frozen=True)
class City:
    metro: tables.Metro
    tariffs: dict[VehicleType, tables.Tariff]
    rider: Actor
    dispatcher: Actor


@pytest.fixture
async def city(session_factory: SessionFactory) -> City:
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session, is_default=True)
        tariffs = {kind: await factories.add_tariff(session, metro, kind) for kind in VehicleType}
        rider = await factories.add_rider(session)
        dispatcher = await factories.add_member(session)
    return City(metro, tariffs, rider, dispatcher)


@pytest.fixture
async def conversation(session_factory: SessionFactory, city: City, clock: FixedClock) -> UUID:
    async with session_factory.begin() as session:
        return await chat.start_conversation(session, city.rider, city.metro.id, now=clock.now())


@pytest.fixture
async def till(session_factory: SessionFactory, clock: FixedClock) -> Till:
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session, is_default=True)
        rider, staff = await factories.add_rider(session), await factories.add_member(session)
    return Till(session_factory, clock, metro, rider, staff=staff)
