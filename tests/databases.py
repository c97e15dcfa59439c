"""Databases for tests: one server per test process, databases cloned from templates that are migrated once."""

from __future__ import annotations

import atexit
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg

from app import database
from tests.lending import Loan

_numbers = itertools.count(1)
_STEM = "nimrod-test-"
#: a file system in memory, used where it has room for the clusters of several test processes
_MEMORY = Path("/dev/shm")  # noqa: S108 -- folders named for their process
_ROOM_BYTES = 4 * 2**30
#: what matters after a crash of the machine, and what would open transactions of its own beside those of a test
_SETTINGS = ("fsync = off", "full_page_writes = off", "autovacuum = off", "max_wal_size = '256MB'")


def server_url() -> str:
    """`NIMROD_TEST_DATABASE_URL` names a server to use; without it an embedded one starts for this process."""
    if given := os.environ.get("NIMROD_TEST_DATABASE_URL"):
        return given
    directory = _scratch() / f"{_STEM}{os.getpid()}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    # Registered before the server's own end, so it runs after that.
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    url = database.start_embedded(directory / "postgresql")
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in _SETTINGS:
            connection.execute(f"alter system set {setting}".encode())
        connection.execute("select pg_reload_conf()")
    return url


def _scratch() -> Path:
    """Where clusters may be made, freed of what processes left that are no more."""
    roomy = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    scratch = _MEMORY if roomy else Path(tempfile.gettempdir())
    for left in scratch.glob(f"{_STEM}*"):
        if (pid := left.name.removeprefix(_STEM)).isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    return scratch


class Databases:
    def __init__(self, url: str) -> None:
        self.server = url
        #: copying files is quickest where they are in memory, copying pages everywhere else
        self._strategy = "file_copy" if str(_MEMORY) in url else "wal_log"
        self._templates: dict[str, str] = {}
        self._made: list[str] = []
        self._free: dict[str, Loan] = {}
        self._lent: dict[str, tuple[str, Loan]] = {}
        self._connection: psycopg.Connection[tuple[object, ...]] | None = None

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

    def lend(self, template: str) -> str:
        """The URL of a copy that `take_back` readies for the next: quicker, as long as nobody changes its schema."""
        loan = self._free.pop(template, None) or Loan(self.clone(template))
        self._lent[loan.url] = template, loan
        return loan.url

    def take_back(self, url: str) -> None:
        template, loan = self._lent.pop(url)
        if template not in self._free and loan.empty():
            self._free[template] = loan
        else:
            loan.close()
            self.drop(url)

    def _create(self, stem: str, template: str | None = None) -> str:
        name = f"nimrod_{os.getpid()}_{next(_numbers)}_{stem}"
        source = f' template "{template}" strategy {self._strategy}' if template else ""
        self._run(f'create database "{name}"{source}')
        self._made.append(name)
        return name

    def drop(self, url: str) -> None:
        name = url.partition("?")[0].rsplit("/", 1)[1]
        self._run(f'drop database if exists "{name}" with (force)')
        self._made.remove(name)

    def drop_all(self) -> None:
        for loan in self._free.values():
            loan.close()
        for name in self._made:
            self._run(f'drop database if exists "{name}" with (force)')
        if self._connection is not None:
            self._connection.close()

    def _run(self, statement: str) -> None:
        if self._connection is not None:
            try:
                self._connection.execute(statement.encode())
            except psycopg.OperationalError:
                if not self._connection.closed:
                    raise
                # A test has restarted the server.
            else:
                return
        self._connection = psycopg.connect(self.server, autocommit=True)
        self._connection.execute(statement.encode())
