"""What the soaks share: when they run, their cluster, and the figures at their end."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from app import cli, database
from app.settings import Settings
from tests.databases import Databases
from tests.live import Launcher, LiveServer
from tests.soak.cluster import PostgreSQL
from tests.soak.fuse import Fuse
from tests.soak.scene import Scene

REPORTS = Path(__file__).parents[2] / ".nimrod" / "soak"
Report = Callable[..., None]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("soak") and "NIMROD_SOAK" not in os.environ:
        pytest.skip("takes minutes: make soak")


@pytest.fixture(scope="session", autouse=True)
def many_sockets() -> None:
    """Children inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@pytest.fixture(scope="session")
def cluster() -> Iterator[PostgreSQL]:
    running = PostgreSQL()
    yield running
    running.end()


@pytest.fixture(scope="session")
def soak_databases(cluster: PostgreSQL, live_data_dir: Path) -> Iterator[tuple[Databases, str]]:
    """On that cluster, and the template of a seeded city."""
    made = Databases(cluster.url)
    empty = made.template("empty", database.migrate)
    yield made, made.template("demo", lambda url: cli.seed_city(Settings(data_dir=live_data_dir), url), base=empty)
    made.drop_all()


@pytest.fixture
def soak_database(soak_databases: tuple[Databases, str]) -> Iterator[str]:
    databases, template = soak_databases
    url = databases.clone(template)
    yield url
    databases.drop(url)


@pytest.fixture
def fuse(soak_database: str) -> Iterator[Fuse]:
    made = Fuse(soak_database)
    made.open()
    yield made
    made.close()


@pytest.fixture
def stage(serve: Launcher, soak_database: str, tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Sets a scene: `stage(servers)`; its children end with the test."""
    made: list[Scene] = []

    def begin(*servers: LiveServer, **env: Any) -> Scene:
        made.append(Scene(soak_database, serve, list(servers), tmp_path, env))
        return made[-1]

    yield begin
    for scene in made:
        scene.close()


@pytest.fixture
def report(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Report:
    """Prints figures as a table and keeps them as JSON."""

    def show(**figures: Any) -> None:
        name = request.node.name
        REPORTS.mkdir(parents=True, exist_ok=True)
        (REPORTS / f"{name}.json").write_text(json.dumps(figures, indent=1, default=str) + "\n")
        table = Table("figure", "value", title=name, title_justify="left")
        for label, value in figures.items():
            table.add_row(label.replace("_", " "), f"{value:,.1f}" if isinstance(value, float) else str(value))
        with capsys.disabled():
            Console(width=130).print("\n", table)

    return show
