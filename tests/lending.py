"""Lent databases: emptied again after a test, as copying and deleting the files of one takes five times as long."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql

#: rows that were deleted stay in the files
_MOST_LOANS = 100
_TABLES = "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
_USED = (
    "select setval(format('%I.%I', schemaname, sequencename), start_value, false) from pg_sequences where last_value is not null"
)
_OTHERS = (
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
)
#: changes with every change of the schema, of a setting of the database, and of what the planner knows of its rows
_SCHEMA: LiteralString = """select
    (select count(*) from pg_statistic), (select count(*) from pg_db_role_setting),
    {}""".format(
    ", ".join(
        f"(select (count(*), sum(xmin::text::bigint)) from {catalog})"
        for catalog in ("pg_class", "pg_attribute", "pg_constraint", "pg_trigger", "pg_proc")
    )
)


class Loan:
    """A database that one test after the other gets as it was in the beginning."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._loans = 0
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("set session_replication_role = replica")  # no trigger forbids or notes what is deleted
        self._tables: list[str] = [name for (name,) in self._rows(_TABLES)]
        filled = sql.SQL(" union all ").join(
            sql.SQL("select {} where exists (select from {})").format(name, sql.SQL(name)) for name in self._tables
        )
        self._filled = filled.as_string()
        self._kept = {name for (name,) in self._rows(self._filled)}
        self._before = self._state()

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._connection.execute(query.encode()).fetchall()

    def _state(self) -> tuple[object, ...]:
        """Of what is not emptied."""
        kept = [self._rows(f"select md5(array_agg(t order by t::text)::text) from {name} t") for name in sorted(self._kept)]
        return self._rows(_SCHEMA), kept

    def empty(self) -> bool:
        """Whether it is as it was, and may be lent again."""
        self._loans += 1
        try:
            self._rows(_OTHERS)
            if self._loans == _MOST_LOANS or self._state() != self._before:
                return False
            filled = {name for (name,) in self._rows(self._filled)} - self._kept
            self._connection.execute("; ".join([*(f"delete from {name}" for name in sorted(filled)), _USED]).encode())
        except psycopg.Error:
            return False
        return True

    def close(self) -> None:
        self._connection.close()
