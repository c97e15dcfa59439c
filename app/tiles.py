"""Routing tiles: built once per map beside a copy of it, under `<data_dir>/maps/<digest>/`."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

NOT_INSTALLED = "Valhalla is not installed (it needs Python 3.12 or newer): distances and times are estimates."
_MAP = "map.osm.pbf"
_TILES = "tiles.tar"
_LOG = "build.log"
_WORKSHOP = ".build-"
_STAGES = 26  # that the builder times in its log
_MODES = ("auto", "bicycle", "pedestrian", "motor_scooter", "truck")
_MATRIX_PAIRS = 250 * 250
_EXCLUDED_PERIMETER_METERS = 200_000  # many closed streets in one request


class TilesNotBuilt(RuntimeError):
    """The map could not be turned into routing tiles."""


def map_folder(data_dir: Path, digest: str) -> Path:
    return data_dir / "maps" / digest


def map_copy(data_dir: Path, digest: str) -> Path | None:
    """The copy that was kept of the map of that digest."""
    copy = map_folder(data_dir, digest) / _MAP
    return copy if copy.is_file() else None


def tiles_for(data_dir: Path, digest: str) -> Path | None:
    tiles = map_folder(data_dir, digest) / _TILES
    return tiles if tiles.is_file() else None


def is_installed() -> bool:
    return find_spec("valhalla") is not None


def keep_map(data_dir: Path, digest: str, source: Path) -> Path:
    """Copies the map under its digest, so that tiles can be built again without the original."""
    folder = map_folder(data_dir, digest)
    with _alone(data_dir, digest):
        if not (folder / _MAP).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f".{_MAP}"
            shutil.copyfile(source, part)
            part.replace(folder / _MAP)
    return folder / _MAP


def build_tiles(data_dir: Path, digest: str, source: Path, console: Console | None = None) -> Path | None:
    """The tiles of that map, built now if they are not there yet; None where Valhalla is not installed.

    Two processes may call this at once: one builds, the other waits. Raises TilesNotBuilt.
    """
    if (tiles := tiles_for(data_dir, digest)) is not None:
        return tiles
    if not is_installed():
        if console is not None:
            console.print(NOT_INSTALLED)
        return None
    copy = keep_map(data_dir, digest, source)
    with _alone(data_dir, digest):
        if (tiles := tiles_for(data_dir, digest)) is not None:
            return tiles
        return _build(copy, console)


def configuration(tiles: Path) -> dict[str, Any]:
    """What an actor reads: the tiles where they are now, limits fit for planning a whole metro."""
    import valhalla  # here, so that only processes that route load it

    config: dict[str, Any] = json.loads(json.dumps(valhalla.get_config(tile_extract=tiles, tile_dir="")))
    for mode in _MODES:
        config["service_limits"][mode]["max_matrix_location_pairs"] = _MATRIX_PAIRS
    config["service_limits"]["max_exclude_polygons_length"] = _EXCLUDED_PERIMETER_METERS
    config["mjolnir"]["max_cache_size"] = 64 * 1024 * 1024
    return config


@contextmanager
def _alone(data_dir: Path, digest: str) -> Iterator[None]:
    """Held by one process at a time, and let go when it dies."""
    maps = data_dir / "maps"
    maps.mkdir(parents=True, exist_ok=True)
    with (maps / f"{digest}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(source: Path, console: Console | None) -> Path:
    folder = source.parent
    for abandoned in folder.glob(f"{_WORKSHOP}*"):  # by a process that was killed
        shutil.rmtree(abandoned, ignore_errors=True)
    workshop = Path(mkdtemp(prefix=_WORKSHOP, dir=folder))
    try:
        settings = workshop / "valhalla.json"
        graph, archive = workshop / "tiles", workshop / _TILES
        paths = ["--mjolnir-tile-dir", str(graph), "--mjolnir-tile-extract", str(archive)]
        with (folder / _LOG).open("w", encoding="utf-8") as log:
            settings.write_text(_run(["valhalla_build_config", *paths], log), encoding="utf-8")
            _watch(["valhalla_build_tiles", "-c", str(settings), str(source)], log, console)
            _run(["valhalla_build_extract", "-c", str(settings)], log)
        if not archive.is_file():
            raise TilesNotBuilt(f"No tiles came out of {source.name}; see {folder / _LOG}.")
        return archive.replace(folder / _TILES)
    except subprocess.CalledProcessError as error:
        raise TilesNotBuilt(f"{error.cmd[0]} failed on {source.name}; see {folder / _LOG}.") from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _command(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """The scripts look each other up on PATH, where an environment that was not activated is missing."""
    scripts = Path(sysconfig.get_path("scripts"))
    path = os.pathsep.join([str(scripts), os.environ.get("PATH", "")])
    return [str(scripts / words[0]), *words[1:]], {**os.environ, "PATH": path}


def _run(words: list[str], log: Any) -> str:
    command, environment = _command(words)
    done = subprocess.run(  # noqa: S603 - our own arguments
        command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, check=True
    )
    return done.stdout


def _watch(words: list[str], log: Any, console: Console | None) -> None:
    command, environment = _command(words)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=console is None) as progress:
        task = progress.add_task("Building the street network", total=_STAGES)
        with subprocess.Popen(  # noqa: S603 - our own arguments
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as building:
            for line in building.stdout or ():
                log.write(line)
                if "[TIMING]" in line:
                    progress.advance(task)
        if building.returncode:
            raise subprocess.CalledProcessError(building.returncode, words)
        progress.update(task, completed=_STAGES)
