"""A database of any earlier revision comes up to date with its rows, and then is what the tables say."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool

from app import database
from app.settings import Settings
from domain import accounts, eventlog, history, tables, turns
from domain.actor import Audience
from tests.databases import Databases
from tests.log import settled_after

START = eventlog.Position(1, 0, 0)
APPEND = "insert into event_log (topic, kind, version, payload, at) values (%s, %s, 1, %s, now() - interval '30 days')"


@pytest.fixture
def first_revision(databases: Databases) -> Iterator[str]:
    url = databases.clone(databases.template("first", lambda made: database.migrate(made, "0001")))
    yield url
    databases.drop(url)


async def test_a_log_of_the_first_revision_is_kept_and_then_swept(first_revision: str) -> None:
    topic, chat = eventlog.dispatch_topic(uuid4()), eventlog.chat_topic(uuid4())
    words = f'{{"turnId": "{uuid4()}", "attempt": 1, "text": "Hi"}}'
    with psycopg.connect(first_revision) as connection:
        for _ in range(3):
            connection.execute(APPEND, (topic, "vehicle.changed", "{}"))
        connection.execute(APPEND, (chat, "text.delta", words))
    database.migrate(first_revision)
    now = datetime.now(UTC)
    async with database.opened(Settings(), first_revision) as sessions:
        async with sessions() as session:
            batch = await settled_after(session, topic, START)
            assert (len(batch.events), batch.gap) == (3, None)
            assert len((await settled_after(session, chat, START)).events) == 1
        async with sessions.begin() as session:
            assert await history.forget_events(session, "dispatch", before=now - timedelta(days=7)) == 3
            assert await turns.forget_deltas(session, now=now) == 1
        async with sessions() as session:
            assert (await eventlog.read_after(session, topic, START)).gap is not None
            assert (await eventlog.read_after(session, topic, batch.events[-1].position)).gap is None


async def test_the_refresh_token_before_is_remembered_by_a_session_of_the_first_revision(first_revision: str) -> None:
    session_id, now = uuid4(), datetime.now(UTC)
    before, in_force = (hashlib.sha256(token.encode()).digest() for token in ("before", "in force"))
    with psycopg.connect(first_revision) as connection:
        connection.execute(
            "insert into sign_in_sessions (id, audience, account_id, refresh_hash, previous_refresh_hash,"
            " created_at, refreshed_at, expires_at) values (%s, 'customer', %s, %s, %s, now(), now(), now() + interval '1 day')",
            (session_id, uuid4(), in_force, before),
        )
    database.migrate(first_revision)
    async with database.opened(Settings(), first_revision) as sessions:
        for token in ("before", "in force"):
            async with sessions.begin() as session:
                assert await accounts.refresh_session(session, Audience.CUSTOMER, token, days=1, now=now) is None


def test_riders_of_the_first_revision_have_no_driving_licence(first_revision: str) -> None:
    with psycopg.connect(first_revision) as connection:
        connection.execute(
            "insert into customers (id, email, name, language, created_at) values (%s, 'ada@example.org', 'Ada', 'en', now())",
            (uuid4(),),
        )
    database.migrate(first_revision)
    with psycopg.connect(first_revision) as connection:
        assert connection.execute("select phone, l.id from customers left join driving_licences l on true").fetchall() == [
            (None, None)
        ]


def test_a_database_of_the_newest_revision_is_known_without_looking_further(database_url: str, first_revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    (head,) = ScriptDirectory.from_config(config).get_heads()
    for url, revision, is_newest in ((database_url, head, True), (first_revision, "0001", False)):
        engine = create_engine(database.with_driver(url, "psycopg"), poolclass=pool.NullPool)
        with engine.connect() as connection:
            assert MigrationContext.configure(connection).get_current_revision() == revision
            assert database._is_newest(connection) is is_newest
        engine.dispose()


@pytest.mark.filterwarnings("ignore:Did not recognize type 'xid8'")
def test_the_revisions_make_what_the_tables_say(database_url: str) -> None:
    def ours(_: object, name: str | None, kind: str, *__: object) -> bool:
        return kind != "table" or not (name or "").startswith("procrastinate")

    engine = create_engine(database.with_driver(database_url, "psycopg"), poolclass=pool.NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": ours})
        assert compare_metadata(context, tables.Base.metadata) == []
    engine.dispose()
