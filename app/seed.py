"""The first rows of an installation: a metro from a map, and people to try it with. Running it again changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from rich.console import Console
from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from app import city, new_metro, new_tariffs, osm, tiles
from app import demo as accounts
from app.gateways import payments
from domain import ids, tables
from domain.ports import PasswordHasher
from domain.tables.base import Base
from domain.values import LicenceState, VehicleType

NO_MAP = "There is no metro yet and no map to make one from: set NIMROD_MAP to an OpenStreetMap extract (.osm.pbf)."
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('nimrod.seed', 0))"


async def seed(
    session_factory: async_sessionmaker[AsyncSession],
    *,
    data_dir: Path,
    map_path: Path | None,
    hasher: PasswordHasher,
    clock_now: Callable[[], datetime],
    demo: bool,
    progress: Console | None = None,
) -> UUID | None:
    """The id of the default metro. Without a map the metro that is there stays; only a demo makes one up.

    Raises ValueError when the map is none or holds no streets, OSError when it is not there.
    """
    if map_path is None and not demo and await _default_digest(session_factory) is None:
        _tell(progress, NO_MAP)
        return None
    metro_id = await seed_metro(session_factory, data_dir=data_dir, map_path=map_path, clock_now=clock_now, progress=progress)
    if demo:
        await seed_demo_accounts(session_factory, hasher=hasher, clock_now=clock_now)
    return metro_id


async def seed_metro(
    session_factory: async_sessionmaker[AsyncSession],
    *,
    data_dir: Path,
    map_path: Path | None,
    clock_now: Callable[[], datetime],
    fleet: Mapping[VehicleType, int] = new_metro.FLEET,
    progress: Console | None = None,
) -> UUID:
    """The metro of a map, made when it is new, and the default from now on.

    Without a map: the default metro that is there, else the generated city.
    """
    source, digest = await _source(session_factory, data_dir, map_path)
    city_map = None
    if await _find_metro(session_factory, digest) is None and source is not None:
        city_map = await asyncio.to_thread(osm.read_map, source)
    if source is not None:
        await asyncio.to_thread(_prepare_tiles, data_dir, digest, source, progress)
    async with session_factory.begin() as session:
        await session.execute(text(_ONE_AT_A_TIME))
        if city_map is not None:
            await _insert_metro(session, city_map, fleet, clock_now())
        metro = (await session.execute(select(tables.Metro).where(tables.Metro.map_digest == digest))).scalar_one()
        if not metro.is_default:
            await session.execute(update(tables.Metro).where(tables.Metro.is_default).values(is_default=False))
            await session.execute(update(tables.Metro).where(tables.Metro.id == metro.id).values(is_default=True))
    if city_map is not None:
        _tell(progress, f"{metro.name}: {len(city_map.places)} places, {sum(fleet.values())} vehicles.")
    return metro.id


async def seed_demo_accounts(
    session_factory: async_sessionmaker[AsyncSession], *, hasher: PasswordHasher, clock_now: Callable[[], datetime]
) -> None:
    """Riders, who may drive, and staff that share one password. Accounts that are there already stay as they are, but for a
    driving licence and a card where a rider has none."""
    async with session_factory() as session:
        riders = set(await session.scalars(select(tables.Customer.email).where(tables.Customer.email.in_(accounts.RIDERS))))
        staff = set(await session.scalars(select(tables.Staff.email).where(tables.Staff.email.in_(accounts.STAFF))))
    if not (riders >= accounts.RIDERS.keys() and staff >= accounts.STAFF.keys()):
        await _insert_accounts(session_factory, hasher, clock_now())
    await _verify_licences(session_factory, clock_now())
    await _add_cards(session_factory, clock_now())


async def _insert_accounts(session_factory: async_sessionmaker[AsyncSession], hasher: PasswordHasher, now: datetime) -> None:
    common = {"password_hash": await hasher.hash(accounts.PASSWORD), "created_at": now}
    new_riders = [
        {"id": ids.new(), "email": email, "name": name, "language": "en", **common} for email, name in accounts.RIDERS.items()
    ]
    new_staff = [
        {"id": ids.new(), "email": email, "name": name, "role": role, "metro_ids": None, **common}
        for email, (name, role) in accounts.STAFF.items()
    ]
    async with session_factory.begin() as session:
        await _insert(session, tables.Customer, new_riders)
        await _insert(session, tables.Staff, new_staff)


async def _verify_licences(session_factory: async_sessionmaker[AsyncSession], now: datetime) -> None:
    """Of the demo riders who have submitted none. They have no number, so their digests meet nobody's."""
    licences = tables.DrivingLicence
    async with session_factory.begin() as session:
        without = select(tables.Customer.id).outerjoin(licences).where(licences.id.is_(None))
        riders = await session.scalars(without.where(tables.Customer.email.in_(accounts.RIDERS)))
        rows = [
            {
                "customer_id": rider,
                "id": ids.new(),
                "country_code": "DE",
                "number_digest": ids.new().bytes,
                "number_ending": "DEMO",
                "expires_on": now.date() + timedelta(days=accounts.LICENCE_DAYS),
                "categories": ["B"],
                "state": LicenceState.VERIFIED,
                "submitted_at": now,
                "decided_at": now,
                "checks": 0,
            }
            for rider in riders
        ]
        await _insert(session, licences, rows)


async def _add_cards(session_factory: async_sessionmaker[AsyncSession], now: datetime) -> None:
    """Simulated ones, for the demo riders who never had any."""
    customers, cards = tables.Customer, tables.PaymentMethod
    async with session_factory.begin() as session:
        without = select(customers.id).outerjoin(cards).where(cards.id.is_(None), customers.gateway_ref.is_(None))
        riders = (await session.scalars(without.where(customers.email.in_(accounts.RIDERS)))).all()
        rows = []
        for rider in riders:
            customer_ref = payments.simulated_customer(rider)
            card = payments.simulated_card(customer_ref)
            await session.execute(update(customers).where(customers.id == rider).values(gateway_ref=customer_ref))
            rows.append({"id": ids.new(), "customer_id": rider, "is_default": True, "created_at": now, **asdict(card)})
        await _insert(session, cards, rows)


async def _source(
    session_factory: async_sessionmaker[AsyncSession], data_dir: Path, map_path: Path | None
) -> tuple[Path | None, str]:
    """The map to use, where it is at hand, and its digest."""
    if map_path is not None:
        return map_path, await asyncio.to_thread(osm.digest_of, map_path)
    digest = await _default_digest(session_factory)
    if digest is not None and (copy := tiles.map_copy(data_dir, digest)) is not None:
        return copy, digest
    generated = await asyncio.to_thread(city.generate_city, data_dir / "maps" / f"{new_metro.slug_of(city.CITY)}.osm.pbf")
    generated_digest = osm.digest_of(generated)
    return (generated, generated_digest) if digest in (None, generated_digest) else (None, str(digest))


def _prepare_tiles(data_dir: Path, digest: str, source: Path, progress: Console | None) -> None:
    tiles.keep_map(data_dir, digest, source)
    try:
        tiles.build_tiles(data_dir, digest, source, progress)
    except tiles.TilesNotBuilt as error:
        _tell(progress, f"{error} Distances and times are estimates.")


async def _default_digest(session_factory: async_sessionmaker[AsyncSession]) -> str | None:
    async with session_factory() as session:
        return await session.scalar(select(tables.Metro.map_digest).where(tables.Metro.is_default))


async def _find_metro(session_factory: async_sessionmaker[AsyncSession], digest: str) -> UUID | None:
    async with session_factory() as session:
        return await session.scalar(select(tables.Metro.id).where(tables.Metro.map_digest == digest))


async def _insert_metro(session: AsyncSession, city_map: osm.CityMap, fleet: Mapping[VehicleType, int], now: datetime) -> None:
    """Everything or nothing: another process that was first has the same rows."""
    slug = new_metro.slug_of(city_map.name)
    if await session.scalar(select(tables.Metro.id).where(tables.Metro.slug == slug)) is not None:
        slug = f"{slug}-{city_map.digest[:8]}"  # a newer map of the same city
    metro = new_metro.metro_row(city_map, slug, now)
    made = insert(tables.Metro).values(metro).on_conflict_do_nothing(index_elements=["map_digest"])
    if await session.scalar(made.returning(tables.Metro.id)) is None:
        return
    stations = new_metro.station_rows(city_map, metro["id"])
    await _insert(session, tables.Station, stations)
    await _insert(session, tables.Place, new_metro.place_rows(city_map, metro["id"]))
    await _insert(session, tables.Zone, new_metro.zone_rows(city_map, metro["id"]))
    await _insert(session, tables.Tariff, new_tariffs.tariff_rows(city_map, metro["id"], now))
    await _insert(session, tables.Vehicle, new_metro.vehicle_rows(city_map, metro["id"], stations, fleet, now))


async def _insert(session: AsyncSession, table: type[Base], rows: Sequence[new_metro.Row]) -> None:
    for chunk in new_metro.chunks(rows):
        await session.execute(insert(table).on_conflict_do_nothing(), chunk)


def _tell(progress: Console | None, line: str) -> None:
    if progress is not None:
        progress.print(line)
