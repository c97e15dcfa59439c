"""Archives: a ZIP file of everything about one rider, written piece by piece, in one snapshot, by one attempt."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.archives import Archivist
from app.database import SessionFactory
from app.gateways.photos import ObjectPhotos
from domain import errors, exports, ids, personal_data, tables
from domain.tables import ExportState
from tests import factories
from tests.conftest import FixedClock
from tests.domain import belongings
from tests.domain.belongings import Rider

KEPT = timedelta(days=7)


@pytest.fixture
def pictures() -> ObjectPhotos:
    return ObjectPhotos("memory:///")


@pytest.fixture
def archivist(session_factory: SessionFactory, clock: FixedClock, pictures: ObjectPhotos) -> Archivist:
    return Archivist(session_factory, clock, pictures, kept=KEPT)


@pytest.fixture
async def ada(session_factory: SessionFactory, clock: FixedClock) -> Rider:
    """Of whom there is a row in every table, as there is of somebody else."""
    async with session_factory.begin() as session:
        city = await belongings.add_city(session)
        await belongings.add_rider(session, city, "bea", clock.now())
        return await belongings.add_rider(session, city, "ada", clock.now())


async def archive(session_factory: SessionFactory, clock: FixedClock, export_id: UUID) -> zipfile.ZipFile:
    async with session_factory() as session:
        count = await exports.count_parts(session, export_id, now=clock.now())
        parts = [await exports.get_part(session, export_id, number) for number in range(count)]
    return zipfile.ZipFile(BytesIO(b"".join(part for part in parts if part is not None)))


async def sizes(session_factory: SessionFactory, rider: Rider) -> list[int]:
    parts = tables.ExportPart
    of = select(func.length(parts.content)).where(parts.export_id == rider.rows["exports"]).order_by(parts.number)
    async with session_factory() as session:
        return list((await session.execute(of)).scalars())


async def test_every_table_is_a_file_of_json_that_the_readme_explains(
    session_factory: SessionFactory, clock: FixedClock, archivist: Archivist, ada: Rider
) -> None:
    await archivist.build_export(ada.rows["exports"])
    found = await archive(session_factory, clock, ada.rows["exports"])
    assert found.testzip() is None
    files = {f"{entry.table}.json" for entry in personal_data.riders()}
    assert set(found.namelist()) == files | {"README.txt"}
    readme = found.read("README.txt").decode()
    for entry in personal_data.riders():
        assert f"{entry.table}.json\n    {entry.meaning}" in readme
        for row in json.loads(found.read(f"{entry.table}.json")):
            assert set(row) == {column.name for column in entry.shown()}
    assert "without `password_hash`: the digest of a secret" in readme


async def test_an_archive_has_the_rows_of_its_rider_and_of_nobody_else(
    session_factory: SessionFactory, clock: FixedClock, archivist: Archivist, ada: Rider
) -> None:
    await archivist.build_export(ada.rows["exports"])
    found = await archive(session_factory, clock, ada.rows["exports"])
    (account,) = json.loads(found.read("customers.json"))
    assert (account["id"], account["email"]) == (str(ada.id), ada.email)
    assert account["created_at"] == "2026-11-21T08:30:00Z"
    (message,) = json.loads(found.read("messages.json"))
    assert message["text"] == "ada-messages-text"
    (reservation,) = json.loads(found.read("reservations.json"))
    assert reservation["blocked"] == {"from": "2026-11-21T08:30:00Z", "to": "2026-11-21T09:30:00Z"}
    everything = "".join(found.read(name).decode() for name in found.namelist())
    assert [mark for mark in ada.marks if mark.replace("ada", "bea", 1) in everything and "ada" in mark] == []


async def test_an_archive_has_the_pictures_beside_their_rows(
    session_factory: SessionFactory, clock: FixedClock, archivist: Archivist, ada: Rider, pictures: ObjectPhotos
) -> None:
    async with session_factory.begin() as session:
        first, second, gone = [await factories.add_photo(session, ada.id) for _ in range(3)]
        forgotten = await factories.add_photo(session, ada.id, forget_at=clock.now())
        somebodys = await factories.add_photo(session, (await factories.add_rider(session)).account_id)
    for row in (first, second, forgotten, somebodys):
        await pictures.put(str(row.store_key), row.id.bytes * 100_000)
    await archivist.build_export(ada.rows["exports"])
    found = await archive(session_factory, clock, ada.rows["exports"])
    assert found.testzip() is None
    names = {f"photos/{row.id}.jpg": row.id.bytes * 100_000 for row in (first, second)}
    assert {name: found.read(name) for name in found.namelist() if name.startswith("photos/")} == names
    assert {str(row.id) for row in (first, second, gone)} <= {row["id"] for row in json.loads(found.read("photos.json"))}
    assert "Pictures lie in `photos/`" in found.read("README.txt").decode()


async def test_an_archive_waits_for_the_pictures_while_their_store_is_away(
    session_factory: SessionFactory, clock: FixedClock, ada: Rider, tmp_path: Path
) -> None:
    (tmp_path / "photos").write_text("not a folder")
    async with session_factory.begin() as session:
        await factories.add_photo(session, ada.id)
    with pytest.raises(errors.OutOfReach):
        await Archivist(session_factory, clock, ObjectPhotos.at(None, tmp_path), kept=KEPT).build_export(ada.rows["exports"])
    async with session_factory() as session:
        assert (await session.get_one(tables.Export, ada.rows["exports"])).state is ExportState.REQUESTED


async def test_a_built_archive_says_its_size_and_is_not_built_again(
    session_factory: SessionFactory, clock: FixedClock, archivist: Archivist, ada: Rider
) -> None:
    export_id = ada.rows["exports"]
    async with session_factory() as session:
        attempt = (await session.get_one(tables.Export, export_id)).attempt
    await archivist.build_export(export_id)
    await archivist.build_export(export_id)
    async with session_factory() as session:
        row = await session.get_one(tables.Export, export_id)
    assert (row.state, row.attempt - attempt) == (ExportState.READY, 1)
    assert row.size_bytes == sum(await sizes(session_factory, ada))


async def test_an_archive_larger_than_a_part_is_stored_in_parts(
    session_factory: SessionFactory,
    clock: FixedClock,
    archivist: Archivist,
    ada: Rider,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exports, "PART_BYTES", 1000)
    row = {"customer_id": ada.id, "purpose": "push", "document_version": "1", "is_granted": True, "source": "settings"}
    async with session_factory.begin() as session:
        rows = [{**row, "id": ids.new(), "recorded_at": clock.now()} for _ in range(250)]
        await session.execute(insert(tables.Consent), rows)
    await archivist.build_export(ada.rows["exports"])
    found = await archive(session_factory, clock, ada.rows["exports"])
    assert len(json.loads(found.read("consents.json"))) == 251
    *full, last = await sizes(session_factory, ada)
    assert len(full) > 5
    assert set(full) == {1000}
    assert 0 < last <= 1000


async def test_one_that_outgrows_every_archive_is_given_up(
    session_factory: SessionFactory, archivist: Archivist, ada: Rider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PART_BYTES", 100)
    monkeypatch.setattr(exports, "MAX_PARTS", 3)
    await archivist.build_export(ada.rows["exports"])
    async with session_factory() as session:
        assert (await session.get_one(tables.Export, ada.rows["exports"])).state is ExportState.FAILED
    assert await sizes(session_factory, ada) == []


async def test_an_attempt_that_breaks_off_leaves_it_requested_and_the_next_one_builds_it(
    session_factory: SessionFactory, clock: FixedClock, archivist: Archivist, ada: Rider, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = ada.rows["exports"]
    monkeypatch.setattr(exports, "PART_BYTES", 100)
    with monkeypatch.context() as broken:
        broken.setattr(exports, "finish_export", _crash)
        with pytest.raises(ZeroDivisionError):
            await archivist.build_export(export_id)
    async with session_factory() as session:
        assert (await session.get_one(tables.Export, export_id)).state is ExportState.REQUESTED
    await archivist.build_export(export_id)
    assert (await archive(session_factory, clock, export_id)).testzip() is None


async def _crash(*_: object, **__: object) -> bool:
    raise ZeroDivisionError


async def test_an_attempt_that_was_taken_over_stops_at_its_next_part(
    session_factory: SessionFactory, archivist: Archivist, ada: Rider, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = exports.claim_export

    async def overtaken(session: AsyncSession, export_id: UUID) -> exports.ClaimedExport | None:
        await claim(session, export_id)
        claimed = await claim(session, export_id)
        assert claimed is not None
        return exports.ClaimedExport(claimed.id, claimed.customer_id, claimed.attempt - 1)

    monkeypatch.setattr(exports, "claim_export", overtaken)
    await archivist.build_export(ada.rows["exports"])
    async with session_factory() as session:
        assert (await session.get_one(tables.Export, ada.rows["exports"])).state is ExportState.REQUESTED
    assert await sizes(session_factory, ada) == []


async def test_nobody_who_follows_the_log_waits_for_an_archive(
    session_factory: SessionFactory, archivist: Archivist, ada: Rider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What hides events is a transaction with a number; the snapshot has none."""
    numbered = text("select count(*) from pg_stat_activity where backend_xid is not null and datname = current_database()")
    add, seen = exports.add_part, []

    async def looking(*given: object) -> bool:
        async with session_factory() as session:
            seen.append((await session.execute(numbered)).scalar_one())
        return await add(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(exports, "add_part", looking)
    await archivist.build_export(ada.rows["exports"])
    assert seen
    assert set(seen) == {0}
