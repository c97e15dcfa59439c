"""Lent databases: whoever borrows one finds it as the first did."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from app import database
from tests.databases import Databases

GROWN = "insert into event_log (topic, kind, version, payload) values ('t', 'k', 1, '{}') returning seq"


@pytest.fixture
def library(databases: Databases) -> Iterator[Databases]:
    """One that has lent nothing so far."""
    made = Databases(databases.server)
    yield made
    made.drop_all()


@pytest.fixture
def template(databases: Databases) -> str:
    return databases.template("empty", database.migrate)


def test_rows_and_numbers_are_gone_when_it_is_lent_again(library: Databases, template: str) -> None:
    lent = library.lend(template)
    with psycopg.connect(lent) as connection:
        first = connection.execute(GROWN).fetchone()
    library.take_back(lent)
    assert library.lend(template) == lent
    with psycopg.connect(lent) as connection:
        assert connection.execute("select count(*) from event_log").fetchone() == (0,)
        assert connection.execute(GROWN).fetchone() == first
    library.take_back(lent)


def test_who_is_still_connected_is_shown_out(library: Databases, template: str) -> None:
    lent = library.lend(template)
    with closing(psycopg.connect(lent)) as left:
        left.execute(GROWN)
        library.take_back(lent)
        with pytest.raises(psycopg.OperationalError):
            left.execute("select 1")
    assert library.lend(template) == lent
    library.take_back(lent)


@pytest.mark.parametrize(
    "change",
    [
        "alter table customers add column shoe_size int",
        "alter table event_log disable trigger all",
        "create function one() returns int language sql as 'select 1'",
        "analyze alembic_version",
        "update event_log_epoch set epoch = epoch + 1",
        "do $$ begin execute format('alter database %I set jit = off', current_database()); end $$",
    ],
)
def test_what_cannot_be_taken_back_is_not_lent_again(library: Databases, template: str, change: str) -> None:
    lent = library.lend(template)
    with psycopg.connect(lent) as connection:
        connection.execute(change.encode())
    library.take_back(lent)
    again = library.lend(template)
    assert again != lent
    library.take_back(again)
