"""Databases for tests: one server per test process, databases cloned from templates that are migrated once."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import psycopg

from app import database

_numbers = itertools.count(1)


def server_url() -> str:
    """`NIMROD_TEST_DATABASE_URL` names a server to use; without it an embedded one starts for this process."""
    if given := os.environ.get("NIMROD_TEST_DATABASE_URL"):
        return given
    directory = Path(tempfile.gettempdir()) / f"nimrod-test-{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    url = database.start_embedded(directory / "postgresql")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("alter system set fsync = off")
        connection.execute("alter system set full_page_writes = off")
        connection.execute("select pg_reload_conf()")
    return url


class Databases:
    def __init__(self, url: str) -> None:
        self.server = url
        self._templates: dict[str, str] = {}
        self._made: list[str] = []

    def url_of(self, name: str) -> str:
        head, _, query = self.server.partition("?")
        return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")

    def template(self, name: str, fill: Callable[[str], None], *, base: str | None = None) -> str:
        """The template of that name; `fill(url)` is called once to make it, on a copy of `base`."""
        if name not in self._templates:
            full = self._create(f"{name}_template", base)
            fill(self.url_of(full))
            self._templates[name] = full
        return self._templates[name]

    def clone(self, template: str) -> str:
        """The URL of a fresh copy."""
        return self.url_of(self._create("copy", template))

    def _create(self, stem: str, template: str | None = None) -> str:
        name = f"nimrod_{os.getpid()}_{next(_numbers)}_{stem}"
        source = f' template "{template}"' if template else ""
        self._run(f'create database "{name}"{source}')
        self._made.append(name)
        return name

    def drop(self, url: str) -> None:
        name = url.partition("?")[0].rsplit("/", 1)[1]
        self._run(f'drop database if exists "{name}" with (force)')
        self._made.remove(name)

    def drop_all(self) -> None:
        for name in self._made:
            self._run(f'drop database if exists "{name}" with (force)')

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.server, autocommit=True) as connection:
            connection.execute(statement.encode())
