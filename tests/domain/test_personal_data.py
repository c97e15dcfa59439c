"""The registry of personal data: every table is in it, and nothing that refers to a rider is called nobody's."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Table, select, text

from app.database import SessionFactory
from domain import erasure, exports, payment_methods, personal_data, personal_rows, retention, tables
from domain.tables import RemovalKind
from tests.conftest import FixedClock
from tests.domain import belongings
from tests.domain.belongings import Rider

TABLES = tables.Base.metadata.tables
#: columns by which a row tells of a person, whatever the table
TELLING = {
    "account_id",
    "address",
    "birth_date",
    "customer_id",
    "email",
    "password_hash",
    "person_id",
    "phone",
    "rider_id",
    "subject",
    "user_id",
}


@pytest.fixture
async def two(session_factory: SessionFactory, clock: FixedClock) -> tuple[Rider, Rider]:
    """Of each there is a row in every table that knows riders."""
    async with session_factory.begin() as session:
        city = await belongings.add_city(session)
        ada = await belongings.add_rider(session, city, "ada", clock.now())
        return ada, await belongings.add_rider(session, city, "bea", clock.now())


async def erase(session_factory: SessionFactory, clock: FixedClock, rider: Rider) -> None:
    async with session_factory.begin() as session:
        checked = await erasure.get_account(session, rider.who, now=clock.now())
        await erasure.erase_account(session, rider.who, checked=checked, now=clock.now())


def nobodys() -> dict[str, personal_rows.Nobodys]:
    return {entry.table: entry for entry in personal_data.REGISTRY if isinstance(entry, personal_rows.Nobodys)}


def riders() -> dict[str, personal_rows.Riders]:
    return {entry.table: entry for entry in personal_data.riders()}


def parents(table: Table) -> set[str]:
    return {key.column.table.name for key in table.foreign_keys}


def test_every_table_is_in_the_registry_once() -> None:
    named = Counter(entry.table for entry in personal_data.REGISTRY)
    assert sorted(set(TABLES) - set(named)) == [], "say in domain/personal_data.py what these tables tell about riders"
    assert sorted(set(named) - set(TABLES)) == []
    assert [table for table, times in named.items() if times > 1] == []


def test_every_entry_says_why_or_what() -> None:
    for entry in personal_data.REGISTRY:
        assert entry.why if isinstance(entry, personal_rows.Nobodys) else entry.meaning.endswith("."), entry.table


def test_a_table_with_a_column_that_tells_of_a_person_is_not_nobodys() -> None:
    telling = {
        f"{name}.{column.name}"
        for name, entry in nobodys().items()
        for column in TABLES[name].columns
        if column.name in TELLING and column.name not in entry.despite
    }
    assert telling == set()


def test_what_refers_to_a_table_of_riders_is_one_itself() -> None:
    assert {name for name in nobodys() if parents(TABLES[name]) & set(riders())} == set()


def test_excuses_and_withheld_and_changed_columns_exist() -> None:
    for name, entry in nobodys().items():
        assert set(entry.despite) <= set(TABLES[name].columns.keys()), name
    for name, found in riders().items():
        columns = set(TABLES[name].columns.keys())
        assert set(found.withheld) < columns, name
        if isinstance(found.erased, personal_rows.Changed):
            assert set(found.erased.columns) <= columns, name


def test_secrets_are_withheld() -> None:
    secret = {
        f"{name}.{column.name}"
        for name, entry in riders().items()
        for column in entry.shown()
        if any(word in column.name for word in ("hash", "secret", "digest"))
    }
    assert secret == set()


async def test_of_every_table_an_export_has_the_rows_of_the_rider_and_of_nobody_else(
    session_factory: SessionFactory, two: tuple[Rider, Rider]
) -> None:
    ada, bea = two
    async with session_factory() as session:
        for entry in personal_data.riders():
            found = [row async for some in exports.read_rows(session, entry, ada.id) for row in some]
            assert len(found) == belongings.HOLDS.get(entry.table, 1), entry.table
            assert set(found[0]) == {column.name for column in entry.shown()}
            assert not any(mark in repr(found) for mark in bea.marks), entry.table
            assert found[0].get("id", ada.rows.get(entry.table)) == ada.rows.get(entry.table)


async def test_an_export_shows_every_mark_of_the_rider_but_those_of_withheld_columns(
    session_factory: SessionFactory, two: tuple[Rider, Rider]
) -> None:
    ada, _ = two
    shown = ""
    async with session_factory() as session:
        for entry in personal_data.riders():
            shown += "".join([repr(dict(row)) async for some in exports.read_rows(session, entry, ada.id) for row in some])
    withheld = {f"{ada.word}-{entry.table}-{name}" for entry in personal_data.riders() for name in entry.withheld}
    digests = {mark for mark in ada.marks if len(mark) == 64}
    assert {mark for mark in ada.marks if mark not in shown} - withheld - digests == set()


async def test_of_an_erased_rider_nothing_is_left_in_any_column_and_all_is_left_of_others(
    session_factory: SessionFactory, clock: FixedClock, two: tuple[Rider, Rider]
) -> None:
    ada, bea = two
    async with session_factory() as session:
        theirs = await belongings.holdings(session, bea)
        assert all(len(rows) == belongings.HOLDS.get(table, 1) for table, rows in theirs.items()), theirs
        assert {mark for _, mark in await belongings.traces(session, ada)} == ada.marks
    await erase(session_factory, clock, ada)
    async with session_factory() as session:
        told = {("notifications", ada.email), ("gateway_removals", ada.gateway_ref)}
        assert await belongings.traces(session, ada) == told, "the mail that says so, and what the gateway is to forget"
    clock.advance(days=2)
    async with session_factory.begin() as session:
        assert await retention.forget_addresses(session, before=clock.now()) == 0
        assert await retention.forget_addresses(session, before=clock.now() + timedelta(seconds=1)) == 1
        assert await payment_methods.claim_removals(session, now=clock.now(), limit=9) == [
            (RemovalKind.CUSTOMER, ada.gateway_ref)
        ]
        await payment_methods.record_forgotten(session, ada.gateway_ref)
    async with session_factory() as session:
        assert await belongings.traces(session, ada) == set()
        assert await belongings.holdings(session, bea) == theirs


async def test_the_rows_of_a_rider_are_found_by_indexes_in_every_table(session_factory: SessionFactory) -> None:
    async with session_factory.begin() as session:
        await session.execute(text("set local enable_seqscan = off"))
        scanned = {}
        for entry in personal_data.riders():
            found = select(*entry.source.columns).where(entry.of(uuid4()))
            compiled = found.compile(dialect=session.get_bind().dialect, compile_kwargs={"literal_binds": True})
            plan = "\n".join((await session.execute(text(f"explain {compiled}".replace(":", "\\:")))).scalars())
            if "Seq Scan" in plan or "Index Cond" not in plan:
                scanned[entry.table] = plan
    assert scanned == {}


async def test_what_is_kept_of_an_erased_rider_is_what_the_registry_says(
    session_factory: SessionFactory, clock: FixedClock, two: tuple[Rider, Rider]
) -> None:
    ada, _ = two
    await erase(session_factory, clock, ada)
    gone = (personal_rows.Deleted, personal_rows.Silenced)
    async with session_factory() as session:
        left = {table for table, rows in (await belongings.holdings(session, ada)).items() if rows}
    assert left == {name for name, entry in riders().items() if not isinstance(entry.erased, gone)}
