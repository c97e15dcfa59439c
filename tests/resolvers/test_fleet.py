"""Searches of riders: what is refused, and what becomes of those that find nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select, text

from app import database
from app.auth import AccessTokens
from app.doorbell import Doorbell
from app.main import build_runtime
from app.settings import Settings
from domain import errors, ids, search, tables
from domain.values import VehicleType
from resolvers import demand, fleet
from resolvers.context import Ctx
from resolvers.streams import Feed
from tests import factories
from tests.conftest import FixedClock

AROUND = search.Area.around(factories.CENTER, 1000)


@dataclass
class Scene:
    ctx: Ctx
    sessions: database.SessionFactory
    metro_id: str

    async def search(self, *, after: str | None = None, span: fleet.Span | None = None, **wanted: Any) -> list[str]:
        page = await fleet.search_vehicles(
            self.ctx,
            metro_id=self.metro_id,
            area=AROUND,
            wanted=fleet.Wanted(**wanted),
            span=span,
            first=1,
            after=after,
        )
        return list(page.cursors)

    async def unmet(self) -> dict[VehicleType | None, int]:
        await self.ctx.runtime.unmet_demand.settle()
        async with self.sessions() as session:
            rows = (await session.execute(select(tables.UnmetDemand))).scalars().all()
        return {row.vehicle_type: row.count for row in rows}


@pytest.fixture
async def scene(session_factory: database.SessionFactory, clock: FixedClock) -> AsyncIterator[Scene]:
    settings = Settings(signing_key="k" * 32)
    feed = Feed(session_factory, Doorbell.at("memory://", ""))
    runtime = build_runtime(settings, session_factory, AccessTokens(settings.secret(), clock, minutes=5), feed, clock)
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session)
        await factories.add_vehicle(session, metro, battery_percent=50, current_range_meters=20_000)
    yield Scene(Ctx(runtime, None, "127.0.0.1", "test"), session_factory, ids.encode(ids.METRO, metro.id))
    await runtime.unmet_demand.settle()


async def test_a_vehicle_must_go_as_far_and_be_charged_as_well_as_wanted(scene: Scene) -> None:
    assert await scene.search(minimum_range_meters=20_000, minimum_battery_percent=50)
    assert not await scene.search(minimum_range_meters=20_001)
    assert not await scene.search(minimum_battery_percent=51)


@pytest.mark.parametrize(
    ("wanted", "path", "limit"),
    [
        ({"minimum_range_meters": -1}, "minimumRangeMeters", "1,000,000"),
        ({"minimum_range_meters": 1_000_001}, "minimumRangeMeters", "1,000,000"),
        ({"minimum_battery_percent": -1}, "minimumBatteryPercent", "100"),
        ({"minimum_battery_percent": 101}, "minimumBatteryPercent", "100"),
    ],
)
async def test_a_filter_that_cannot_be_is_refused_with_its_limit(
    scene: Scene, wanted: dict[str, Any], path: str, limit: str
) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await scene.search(**wanted)
    (issue,) = refusal.value.issues
    assert issue.path == path
    assert f"{path} lies between 0 and {limit}." == issue.message
    assert await scene.unmet() == {}


async def test_every_filter_at_fault_is_named_at_once(scene: Scene) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        await scene.search(minimum_range_meters=-1, minimum_battery_percent=101)
    assert [issue.path for issue in refusal.value.issues] == ["minimumRangeMeters", "minimumBatteryPercent"]


async def test_a_search_without_a_result_is_unmet_demand(scene: Scene) -> None:
    assert not await scene.search(types=[VehicleType.VAN])
    assert not await scene.search(minimum_battery_percent=99)
    assert await scene.unmet() == {VehicleType.VAN: 1, None: 1}


async def test_a_search_with_a_result_is_not_nor_is_the_end_of_its_pages(scene: Scene) -> None:
    (cursor,) = await scene.search()
    assert await scene.search(after=cursor) == []
    assert await scene.unmet() == {}


async def test_a_search_neither_waits_for_its_note_nor_fails_with_it(
    scene: Scene, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demand, "SECONDS", 0.1)
    async with scene.sessions.begin() as session:
        await session.execute(text("lock table unmet_demand"))
        async with asyncio.timeout(30):
            assert not await scene.search(types=[VehicleType.CAR])
            with caplog.at_level(logging.WARNING):
                await scene.ctx.runtime.unmet_demand.settle()
    assert "a search without a result was not counted" in caplog.text
    assert await scene.unmet() == {}
    assert not await scene.search(types=[VehicleType.CAR])
    assert await scene.unmet() == {VehicleType.CAR: 1}


async def test_a_flood_of_searches_takes_no_more_than_its_share_of_connections(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        async with scene.sessions.begin() as session:
            await session.execute(text("lock table unmet_demand"))
            for _ in range(demand.MAX_WAITING + 1):
                assert not await scene.search(types=[VehicleType.CAR])
        assert await scene.unmet() == {VehicleType.CAR: demand.MAX_WAITING}
    assert "too many at once" in caplog.text
