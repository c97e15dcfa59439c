"""Zones of a metro, as they were drawn."""

from __future__ import annotations

import pytest

from app.database import SessionFactory
from domain import errors, ids, zones
from tests import factories
from tests.domain.conftest import City


async def test_zones_come_by_name_in_pages_and_from_their_metro_alone(session_factory: SessionFactory, city: City) -> None:
    async with session_factory.begin() as session:
        for name in ("Park", "Áltstadt", "Harbour", "old town"):
            await factories.add_zone(session, city.metro, name)
        await factories.add_zone(session, await factories.add_metro(session), "elsewhere")
        whole = [zone.name for zone in await zones.list_zones(session, city.metro.id, limit=9)]
        paged: list[str] = []
        while page := await zones.list_zones(session, city.metro.id, after=paged[-1] if paged else None, limit=1):
            paged += [zone.name for zone in page]
    assert paged == whole
    assert sorted(whole) == ["Harbour", "Park", "old town", "Áltstadt"]


async def test_a_zone_that_is_not_there_is_not_found(session_factory: SessionFactory, city: City) -> None:
    async with session_factory.begin() as session:
        drawn = await factories.add_zone(session, city.metro, maximum_speed_kph=15)
        assert (await zones.get_zone(session, drawn.id)).maximum_speed_kph == 15
        with pytest.raises(errors.NotFound):
            await zones.get_zone(session, ids.new())
