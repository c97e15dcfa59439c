"""Servers: one process of Nimrod on a core of its own, and what of the machine it uses."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from tests.bench import rows

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".nimrod" / "bench"
SIGNING_KEY = "bench bench bench bench bench bench"  # a key for numbers, not for people
PORT = 7119
#: the server's core, and that of everybody else
SERVER_CORE, LOAD_CORE = 0, 1
_TICKS = os.sysconf("SC_CLK_TCK")
_COMMAND = "from app.cli import main; main()"
_ARGUMENTS = ("serve", "--no-worker", "--no-prepared", "--protocol-probe", "--port", str(PORT))


@dataclass
class Server:
    pid: int

    def cpu_seconds(self) -> float:
        """User and system time of this process alone."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_kib(self) -> int:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        return int(found[1]) if found else 0


def environment(**more: str) -> dict[str, str]:
    own = {
        "NIMROD_DATABASE_URL": rows.url(),
        "NIMROD_DATA_DIR": str(WORK / "data"),
        "NIMROD_SIGNING_KEY": SIGNING_KEY,
        "NIMROD_NAMESPACES": "all",
        "NIMROD_MAX_CONNECTIONS_PER_ACCOUNT": "100000",
        "NIMROD_LOG_LEVEL": "warning",
    }
    return {**{name: value for name, value in os.environ.items() if not name.startswith("NIMROD_")}, **own, **more}


@contextlib.contextmanager
def serving(**settings: str) -> Iterator[Server]:
    """A fresh process that answers."""
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, *_ARGUMENTS],
            cwd=ROOT,
            env=environment(**settings),
            stdout=log,
            stderr=log,
            preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}),
        )
    try:
        _wait_for(process)
        yield Server(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health", timeout=2):
            return
        time.sleep(0.05)
    raise RuntimeError(f"The server did not start, see {WORK / 'server.log'}")


@contextlib.contextmanager
def alone_on_its_core() -> Iterator[None]:
    """This process and the database share the other core, as in the peers' harness."""
    moved: list[tuple[psutil.Process, list[int]]] = []
    with contextlib.suppress(psutil.Error, ValueError):  # a database elsewhere, or of another user, stays where it is
        for one in _database_processes():
            moved.append((one, one.cpu_affinity() or []))
            one.cpu_affinity([LOAD_CORE])
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)
        for one, cores in moved:
            with contextlib.suppress(psutil.Error):
                one.cpu_affinity(cores)


def _database_processes() -> list[psutil.Process]:
    with psycopg.connect(rows.url()) as connection:
        first = psutil.Process(connection.info.backend_pid).parent()
        return [] if first is None or "postgres" not in first.name() else [first, *first.children(recursive=True)]
