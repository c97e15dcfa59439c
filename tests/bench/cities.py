"""Cities: how long a map is read, and how long a city takes from an empty database to its whole fleet.

The map of the demo, and a real one where it is there. The best of three rounds each, in one process.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app import cli, database, osm
from app.settings import Settings
from tests.app.map_files import HEIDELBERG
from tests.databases import Databases, server_url

ROUNDS = 3


def _best(act: Callable[[], object]) -> float:
    def once() -> float:
        started = time.perf_counter()
        act()
        return time.perf_counter() - started

    return min(once() for _ in range(ROUNDS))


def _seeded(databases: Databases, empty: str, settings: Settings) -> None:
    url = databases.clone(empty)
    cli.seed_city(settings, url)
    databases.drop(url)


def main() -> int:
    table = Table("city", "read the map s", "seed s", title="A city")
    databases = Databases(server_url())
    try:
        empty = databases.template("empty", database.migrate)
        with tempfile.TemporaryDirectory() as folder:
            generated = Settings(data_dir=Path(folder))
            _seeded(databases, empty, generated)  # writes the map
            maps = {"generated": next(Path(folder).rglob("*.osm.pbf")), "Heidelberg": HEIDELBERG}
            for name, path in maps.items():
                if path.is_file():
                    settings = generated.model_copy(update={"map": path})
                    reading = _best(partial(osm.read_map, path))
                    seeding = _best(partial(_seeded, databases, empty, settings))
                    table.add_row(name, f"{reading:.2f}", f"{seeding:.2f}")
    finally:
        databases.drop_all()
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
