"""Old photos: files go before rows, also those that a crash or an erased account left."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

from app.database import SessionFactory
from app.gateways.photos import ObjectPhotos
from app.old_photos import OldPhotos
from domain import accounts, erasure, errors, photos, tables
from domain.actor import Actor, Audience, Role
from domain.tables import PhotoState
from tests import factories
from tests.conftest import FixedClock

KEPT = timedelta(days=90)


@pytest.fixture
def store(tmp_path: Path) -> ObjectPhotos:
    return ObjectPhotos.at(None, tmp_path)


@pytest.fixture
def sweeper(session_factory: SessionFactory, clock: FixedClock, store: ObjectPhotos) -> OldPhotos:
    return OldPhotos(session_factory, clock, store, kept=KEPT)


@pytest.fixture
async def who(session_factory: SessionFactory, clock: FixedClock) -> Actor:
    async with session_factory.begin() as session:
        rider = await factories.add_customer(session)
        credentials = accounts.Credentials(rider.id, None, Role.RIDER, None)
        opened = await accounts.open_session(session, Audience.CUSTOMER, credentials, days=1, now=clock.now())
    return opened.actor


async def stored(session_factory: SessionFactory, store: ObjectPhotos, who: Actor, **given: object) -> UUID:
    async with session_factory.begin() as session:
        row = await factories.add_photo(session, who.account_id, **given)
    await store.put(str(row.store_key or f"{photos.folder(row.id)}/left.jpg"), b"a picture")
    return row.id


async def rows(session_factory: SessionFactory) -> set[UUID]:
    async with session_factory() as session:
        return set((await session.execute(select(tables.Photo.id))).scalars())


def files(folder: Path) -> set[str]:
    return {path.parent.name for path in folder.rglob("*.jpg")}


async def test_what_is_older_than_it_is_kept_goes_with_its_file(
    session_factory: SessionFactory, clock: FixedClock, store: ObjectPhotos, sweeper: OldPhotos, who: Actor, tmp_path: Path
) -> None:
    old = clock.now() - KEPT - timedelta(seconds=1)
    young = clock.now() - KEPT
    await stored(session_factory, store, who, stored_at=old, used_at=old)
    kept = await stored(session_factory, store, who, stored_at=young, used_at=young)
    await sweeper.sweep()
    assert (await rows(session_factory), files(tmp_path)) == ({kept}, {str(kept)})


async def test_what_an_upload_left_that_broke_off_goes_with_the_link(
    session_factory: SessionFactory, clock: FixedClock, store: ObjectPhotos, sweeper: OldPhotos, who: Actor, tmp_path: Path
) -> None:
    nothing = {"state": PhotoState.REQUESTED, "stored_at": None, "store_key": None, "sha256": None, "taken_at": None}
    asked = await stored(session_factory, store, who, **nothing, expires_at=clock.now())
    clock.advance(days=1)
    await sweeper.sweep()
    assert files(tmp_path) == {str(asked)}
    clock.advance(seconds=1)
    await sweeper.sweep()
    assert (await rows(session_factory), files(tmp_path)) == (set(), set())


async def test_of_an_erased_account_no_picture_is_left_and_no_row(
    session_factory: SessionFactory, clock: FixedClock, store: ObjectPhotos, sweeper: OldPhotos, who: Actor, tmp_path: Path
) -> None:
    now = clock.now()
    for used_at in (now, None):
        await stored(session_factory, store, who, stored_at=now, used_at=used_at)
    async with session_factory.begin() as session:
        account = await erasure.get_account(session, who, now=now)
        await erasure.erase_account(session, who, checked=account, now=now)
    await sweeper.sweep()
    assert (await rows(session_factory), files(tmp_path)) == (set(), set())


async def test_however_many_there_are_all_go(
    session_factory: SessionFactory,
    clock: FixedClock,
    store: ObjectPhotos,
    sweeper: OldPhotos,
    who: Actor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(photos, "BATCH", 2)
    for _ in range(5):
        await stored(session_factory, store, who)
    await sweeper.sweep()
    assert (await rows(session_factory), files(tmp_path)) == (set(), set())


async def test_while_the_store_is_away_the_rows_stay(
    session_factory: SessionFactory, clock: FixedClock, who: Actor, tmp_path: Path
) -> None:
    (tmp_path / "photos").write_text("not a folder")
    async with session_factory.begin() as session:
        row = await factories.add_photo(session, who.account_id)
    with pytest.raises(errors.OutOfReach):
        await OldPhotos(session_factory, clock, ObjectPhotos.at(None, tmp_path), kept=KEPT).sweep()
    assert await rows(session_factory) == {row.id}
