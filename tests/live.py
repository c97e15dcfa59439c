"""Live processes: the real `nimrod` command on a database of its own, for tests that go through the front door."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx
import psycopg
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers import argon2

from app import cli, database, demo, probe
from app.settings import Settings
from domain.actor import Audience
from tests.databases import Databases
from tests.forks import Fork

COMMAND = [sys.executable, "-c", "from app.cli import main; main()"]
ROOT = Path(__file__).parent.parent
READY_SECONDS = 120.0
STOP_SECONDS = 15.0
SIGN_IN = (
    "mutation($input: SignInInput!) {{ {audience} {{ signIn(input: $input) {{ ... on SignInSuccess {{ accessToken }} }} }} }}"
)


def environment(data_dir: Path, database_url: str, **extra: str) -> dict[str, str]:
    """What a process of ours is started with: nothing of the settings around the tests comes through."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("NIMROD_")}
    own = {
        "NIMROD_DATABASE_URL": database_url,
        "NIMROD_DATA_DIR": str(data_dir),
        "NIMROD_SIGN_IN_TRIES_PER_MINUTE": "1000",
        "NIMROD_ACCESS_TOKEN_MINUTES": "60",
        # a machine that runs the whole suite at once is slower than the limit for people
        "NIMROD_DATABASE_TIMEOUT_SECONDS": "60",
    }
    return {**kept, **own, **extra}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(*arguments: str, env: dict[str, str], timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Runs the `nimrod` command to its end, forked. `env` as `environment` or `LiveServer.environment` makes it."""
    with tempfile.TemporaryDirectory() as folder:
        said, complained = Path(folder, "out"), Path(folder, "err")
        process = Fork(*arguments, env=env, log_path=said, errors_path=complained)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(list(arguments), code, said.read_text(), complained.read_text())


def start(*arguments: str, env: dict[str, str], output: IO[bytes] | int = subprocess.PIPE) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
    )


@dataclass
class LiveServer:
    """A running `nimrod serve` (or `nimrod work`) and who may talk to it."""

    process: subprocess.Popen[bytes] | Fork
    #: of the server, without a path; empty for a worker alone
    url: str
    database_url: str
    data_dir: Path
    log_path: Path
    is_ready: Callable[[], bool] = field(init=False, repr=False)
    _tokens: dict[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.is_ready = lambda: self.answers("/health/ready")

    @property
    def graphql_url(self) -> str:
        return f"{self.url}/graphql"

    @property
    def ws_url(self) -> str:
        """Of GraphQL over WebSocket."""
        return f"ws{self.url.removeprefix('http')}/graphql"

    @property
    def probe_url(self) -> str:
        return f"{self.url}{probe.PATH}"

    @property
    def probe_ws_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}{probe.PATH}"

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def rider_token(self) -> str:
        return self.token(Audience.CUSTOMER, next(iter(demo.RIDERS)))

    @property
    def rider2_token(self) -> str:
        return self.token(Audience.CUSTOMER, list(demo.RIDERS)[1])

    @property
    def dispatcher_token(self) -> str:
        return self.token(Audience.OPS, next(iter(demo.STAFF)))

    def token(self, audience: Audience, email: str) -> str:
        """An access token of a demo account, signed in once."""
        if email not in self._tokens:
            variables = {"input": {"email": email, "password": demo.PASSWORD}}
            request = {"query": SIGN_IN.format(audience=audience), "variables": variables}
            answer = httpx.post(self.graphql_url, json=request, trust_env=False, timeout=20).json()
            self._tokens[email] = answer["data"][audience.value]["signIn"]["accessToken"]
        return self._tokens[email]

    def environment(self, **extra: str) -> dict[str, str]:
        """For `run` and `start`: commands on the same database with the same signing key."""
        return environment(self.data_dir, self.database_url, **extra)

    def wait_until_ready(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            if self.process.poll() is not None:
                pytest.fail(f"nimrod ended with {self.process.returncode}:\n{self.log}")
            if time.monotonic() > until:
                pytest.fail(f"nimrod was not ready within {READY_SECONDS:g} s:\n{self.log}")
            time.sleep(0.05)

    def answers(self, path: str) -> bool:
        try:
            return httpx.get(f"{self.url}{path}", trust_env=False, timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for who does not listen."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """As if the power were cut."""
        self.process.kill()
        self.process.wait()


@dataclass
class Launcher:
    """Starts processes of ours; whoever made it stops them all."""

    data_dir: Path
    log_dir: Path
    started: list[LiveServer] = field(default_factory=list)

    def __call__(
        self, database_url: str, *arguments: str, command: str = "serve", port: int | None = None, **env: str
    ) -> LiveServer:
        """A ready process: `serve(url)`, `serve(url, "--no-worker")`, `serve(url, command="work")`,
        `serve(url, NIMROD_OFFLINE_TOKEN_DELAY_SECONDS="0.2")`."""
        server = self.begin(database_url, *arguments, command=command, port=port, **env)
        server.wait_until_ready()
        return server

    def begin(
        self, database_url: str, *arguments: str, command: str = "serve", port: int | None = None, **env: str
    ) -> LiveServer:
        """The same without waiting, to start several at a time; call `wait_until_ready` then."""
        port = port or free_port()
        log_path = self.log_dir / f"{command}-{len(self.started)}-{port}.log"
        url = f"http://127.0.0.1:{port}" if command == "serve" else ""
        listening = ("--port", str(port)) if url else ()
        workers = _newest_worker(database_url)
        given = environment(self.data_dir, database_url, **env)
        process = _begun(command, *listening, *arguments, env=given, log_path=log_path)
        server = LiveServer(process, url, database_url, self.data_dir, log_path)
        if not url:
            server.is_ready = lambda: _newest_worker(database_url) > workers
        elif "--no-worker" in arguments:
            server.is_ready = lambda: server.answers("/health")
        self.started.append(server)
        return server


def _begun(*arguments: str, env: dict[str, str], log_path: Path) -> subprocess.Popen[bytes] | Fork:
    log_path.touch()
    if "NIMROD_SOAK" not in os.environ:
        return Fork(*arguments, env=env, log_path=log_path)
    with log_path.open("wb") as log:  # memory is measured there: what is shared with others would not count
        return start(*arguments, env=env, output=log)


def _newest_worker(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select coalesce(max(id), 0) from procrastinate_workers").fetchone()
    return row[0] if row else 0


@pytest.fixture(scope="session")
def live_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Signing key, map and tiles, made once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    path = shared / "nimrod-live"
    path.mkdir(exist_ok=True)
    return path


def _cheap_hash(password: str) -> str:
    """What it costs to check a password is written in its hash; what the real ones cost has tests of its own."""
    return PasswordHash([argon2.Argon2Hasher(time_cost=1, memory_cost=64, parallelism=1)]).hash(password)


@pytest.fixture(scope="session")
def demo_template(databases: Databases, live_data_dir: Path) -> str:
    """Template of a migrated database with the generated city, its whole fleet and the demo accounts."""

    def seed(url: str) -> None:
        with (live_data_dir / "seed.lock").open("w") as alone, ThreadPoolExecutor(1) as beside_any_loop:
            fcntl.flock(alone, fcntl.LOCK_EX)
            beside_any_loop.submit(cli.seed_city, Settings(data_dir=live_data_dir), url).result()
        with psycopg.connect(url) as connection:
            for table in ("customers", "staff"):
                connection.execute(f"update {table} set password_hash = %s".encode(), [_cheap_hash(demo.PASSWORD)])

    return databases.template("demo", seed, base=databases.template("empty", database.migrate))


@pytest.fixture
def demo_database(databases: Databases, demo_template: str) -> Iterator[str]:
    """URL of a database with the generated city, its whole fleet and the demo accounts, for this test alone."""
    url = databases.clone(demo_template)
    yield url
    databases.drop(url)


@pytest.fixture
async def demo_sessions(demo_database: str) -> AsyncIterator[database.SessionFactory]:
    """Sessions on `demo_database`."""
    async with database.opened(Settings(), demo_database) as sessions:
        yield sessions


@pytest.fixture(scope="session")
def live_server(
    databases: Databases, demo_template: str, live_data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """`nimrod serve` with its worker, one per test process, on a database that its tests share."""
    launcher = Launcher(live_data_dir, tmp_path_factory.mktemp("live"))
    url = databases.clone(demo_template)
    try:
        yield launcher(url)
    finally:
        for server in launcher.started:
            server.stop()
    databases.drop(url)


@pytest.fixture(scope="session")
def probe_server(databases: Databases, live_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """`nimrod serve --protocol-probe` on an empty database, for tests of the transports."""
    launcher = Launcher(live_data_dir, tmp_path_factory.mktemp("probe"))
    url = databases.clone(databases.template("empty", database.migrate))
    try:
        yield launcher(url, "--no-worker", "--no-prepared", "--protocol-probe")
    finally:
        for server in launcher.started:
            server.stop()
    databases.drop(url)


@pytest.fixture
def serve(live_data_dir: Path, tmp_path: Path) -> Iterator[Launcher]:
    """Starts further processes for this test alone, to be killed; see Launcher. Give it `demo_database`."""
    launcher = Launcher(live_data_dir, tmp_path)
    yield launcher
    for server in launcher.started:
        if server.process.poll() is None:
            server.kill()
