"""Backups: everything comes back, also on another cluster, and streams of before are told so."""

from __future__ import annotations

import gc
import io
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select, text

from app import backups, database
from app.doorbell import Doorbell
from app.settings import Settings
from domain import eventlog, history, tables
from domain.ids import new
from resolvers.streams import Feed, Resync
from tests import live
from tests.databases import Databases, server_url
from tests.log import settled_after

SERVICE_URL = "postgresql://postgres@127.0.0.1:5432/postgres"


@pytest.fixture
def other_cluster(databases: Databases) -> Iterator[str]:
    """URL of an empty database on a server that is not the one of the tests."""
    url = SERVICE_URL if "127.0.0.1:5432" not in databases.server else embedded_url()
    try:
        other = Databases(url)
        empty = other.clone("template1")
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL service here: {error}")
    yield empty
    other.drop_all()


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    url = databases.clone("template1")
    yield url
    databases.drop(url)


def embedded_url() -> str:
    kept = os.environ.pop("NIMROD_TEST_DATABASE_URL")
    try:
        return server_url()
    finally:
        os.environ["NIMROD_TEST_DATABASE_URL"] = kept


@asynccontextmanager
async def followed(url: str) -> AsyncIterator[tuple[database.SessionFactory, Feed]]:
    bell = Doorbell.at(None, url)
    await bell.open()
    async with database.opened(Settings(), url) as sessions:
        feed = Feed(sessions, bell)
        feed.start()
        yield sessions, feed
        await feed.stop()
    await bell.close()


async def append(sessions: database.SessionFactory, topic: str, *numbers: int) -> None:
    for number in numbers:
        async with sessions.begin() as session:
            await eventlog.append(session, topic, "counted", {"number": number})


async def position_of(sessions: database.SessionFactory, topic: str) -> eventlog.Position:
    async with sessions() as session:
        return await eventlog.current_position(session, topic)


async def numbers_of(sessions: database.SessionFactory) -> list[int]:
    async with sessions() as session:
        rows = await session.scalars(select(tables.Event.payload).order_by(tables.Event.seq))
        return [payload["number"] for payload in rows]


async def check_streams(url: str, topic: str, before: eventlog.Position) -> None:
    """A cursor of before is answered with a gap; behind it, and behind a fresh cursor, new events come in order."""
    async with followed(url) as (sessions, feed):
        fresh = await position_of(sessions, topic)
        assert fresh.epoch > before.epoch
        resumed, started = feed.follow(topic, before), feed.follow(topic, fresh)
        gap = await anext(resumed)
        assert isinstance(gap, Resync)
        await append(sessions, topic, 10, 11, 12)
        for stream in (resumed, started):
            events = [await anext(stream) for _ in range(3)]
            assert [event.payload["number"] for event in events if isinstance(event, eventlog.Event)] == [10, 11, 12]
            await stream.aclose()


async def test_a_backup_comes_back_on_another_cluster_and_streams_go_on(
    database_url: str, other_cluster: str, tmp_path: Path
) -> None:
    topic, file = eventlog.dispatch_topic(new()), tmp_path / "nimrod.backup"
    async with database.opened(Settings(), database_url) as sessions:
        await append(sessions, topic, 1, 2)
        backups.back_up(database_url, file)
        await append(sessions, topic, 3)
        before = await position_of(sessions, topic)
    backups.restore(other_cluster, file, replace=False)
    async with database.opened(Settings(), other_cluster) as sessions:
        assert await numbers_of(sessions) == [1, 2]
    await check_streams(other_cluster, topic, before)


# A connection that is cut while it is being made is left by its driver to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
async def test_a_backup_takes_the_place_of_what_came_later(database_url: str, tmp_path: Path) -> None:
    topic, file = eventlog.dispatch_topic(new()), tmp_path / "nimrod.backup"
    async with followed(database_url) as (sessions, feed):
        await append(sessions, topic, 1, 2)
        backups.back_up(database_url, file)
        await append(sessions, topic, 3)
        before = await position_of(sessions, topic)
        following = feed.follow(topic, before)
        await append(sessions, topic, 4)
        # Behind a position there may be repeats of what the snapshot had, never gaps.
        while True:
            last = await anext(following)
            assert isinstance(last, eventlog.Event)
            if last.payload["number"] == 4:
                break

        backups.restore(database_url, file, replace=True)

        # Whoever was connected all along finds out by itself.
        assert isinstance(await anext(following), Resync)
        await following.aclose()
    async with database.opened(Settings(), database_url) as sessions:
        assert await numbers_of(sessions) == [1, 2]
    await check_streams(database_url, topic, before)
    gc.collect()


async def test_what_was_gone_before_a_backup_stays_gone_and_outdates_no_new_cursor(
    database_url: str, empty_database: str, tmp_path: Path
) -> None:
    topic, file = eventlog.dispatch_topic(new()), tmp_path / "nimrod.backup"
    async with database.opened(Settings(), database_url) as sessions:
        await append(sessions, topic, 1, 2)
        async with sessions() as session:
            await settled_after(session, topic, eventlog.Position(1, 0, 0))
        async with sessions.begin() as session:
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            assert await history.forget_events(session, "dispatch", before=tomorrow, limit=1) == 1
            # As of a cluster that has counted far more transactions than this one.
            await session.execute(text("update event_log_horizons set xid = '4000000000'::xid8"))
        backups.back_up(database_url, file)
        before = await position_of(sessions, topic)
    for url in (empty_database, database_url):
        backups.restore(url, file, replace=url == database_url)
        await check_streams(url, topic, before)
        async with followed(url) as (sessions, feed):
            epoch = (await position_of(sessions, topic)).epoch
            stream = feed.follow(topic, eventlog.Position(epoch, 0, 0))
            assert isinstance(await anext(stream), Resync)
            await stream.aclose()


async def test_no_epoch_is_used_twice(database_url: str, empty_database: str, tmp_path: Path) -> None:
    file = tmp_path / "nimrod.backup"
    backups.back_up(database_url, file)
    epochs = [backups.restore(empty_database, file, replace=True) for _ in range(2)]
    assert len({1, *epochs}) == 3


async def test_a_whole_city_survives(demo_database: str, empty_database: str, tmp_path: Path) -> None:
    file = tmp_path / "nimrod.backup"
    backups.back_up(demo_database, file)
    backups.restore(empty_database, file, replace=False)
    counts = []
    for url in (demo_database, empty_database):
        async with database.opened(Settings(), url) as sessions, sessions() as session:
            counts.append(
                [await session.scalar(select(func.count()).select_from(table)) for table in tables.Base.metadata.sorted_tables]
            )
    assert counts[0] == counts[1]


async def test_a_database_that_is_not_empty_is_kept_unless_told_otherwise(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "nimrod.backup"
    backups.back_up(database_url, file)
    with pytest.raises(backups.BackupFailed, match="--replace"):
        backups.restore(database_url, file, replace=False)


@pytest.mark.parametrize("kept_bytes", [0, 4, 1000, 20_000])
async def test_a_broken_file_changes_nothing(database_url: str, tmp_path: Path, kept_bytes: int) -> None:
    file = tmp_path / "nimrod.backup"
    backups.back_up(database_url, file)
    file.write_bytes(file.read_bytes()[:kept_bytes])
    async with database.opened(Settings(), database_url) as sessions:
        await append(sessions, "dispatch:x", 1)
        with pytest.raises(backups.BackupFailed):
            backups.restore(database_url, file, replace=True)
    async with database.opened(Settings(), database_url) as sessions:
        assert await numbers_of(sessions) == [1]


def test_the_file_is_its_owners_alone_and_whole_or_not_there(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "nimrod.backup"
    backups.back_up(database_url, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = file.read_bytes()
    with pytest.raises(backups.BackupFailed):
        backups.back_up(f"{database_url.partition('?')[0]}_gone?{database_url.partition('?')[2]}", file)
    assert file.read_bytes() == first
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    with pytest.raises(backups.BackupFailed, match="cannot be written"):
        backups.back_up(database_url, tmp_path / "nowhere" / "nimrod.backup")


def test_a_password_is_not_shown_to_the_machine() -> None:
    shown, secrets = backups._connection("postgresql://nim:secret@db.example:5433/city?sslmode=require")
    assert "secret" not in shown
    assert secrets == {"PGPASSWORD": "secret"}


def test_both_commands_say_what_they_did(demo_database: str, empty_database: str, tmp_path: Path) -> None:
    file = tmp_path / "nimrod.backup"
    made = live.run("backup", str(file), env=live.environment(tmp_path, demo_database))
    assert made.returncode == 0, made.stderr
    assert str(file) in made.stdout
    back = live.run("restore", str(file), env=live.environment(tmp_path, empty_database))
    assert back.returncode == 0, back.stderr
    assert "is restored" in back.stdout


def test_only_what_servers_disagree_about_is_left_out_of_a_script() -> None:
    script = (
        b"SET statement_timeout = 0;\nSET transaction_timeout = 0;\n"
        b"ALTER TABLE ONLY public.metros ALTER COLUMN name SET (pg_attver=7);\n"
        b"COPY public.messages (text) FROM stdin;\nSET transaction_timeout = 0;\n\\.\n"
    )
    target = io.BytesIO()
    backups._copy(io.BytesIO(script), target)
    kept = b"SET statement_timeout = 0;\nCOPY public.messages (text) FROM stdin;\nSET transaction_timeout = 0;\n\\.\n"
    assert target.getvalue() == kept
