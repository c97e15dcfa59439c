"""The command line: `nimrod serve`, `work`, `migrate`, `seed`, `token` and what follows."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.settings import Settings
from app.terminal import commands
from app.terminal.console import console, errors, fail, load_settings

cli = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="Nimrod, the GraphQL API of MobilityCorp."
)
for command in commands.ALL:
    cli.command()(command)
FIRST_QUERY = '{"query":"{ customer { metros { id name timezone } } }"}'


def prepare(settings: Settings) -> str:
    """The URL of a database that is up to date."""
    from app import database

    url = database.plain_url(settings)
    database.migrate(url)
    return url


async def _seed(settings: Settings, url: str, map_path: Path | None) -> None:
    from app import database
    from app import seed as seeding
    from app.gateways.clock import SystemClock
    from app.gateways.passwords import Argon2Hasher

    async with database.opened(settings, url) as sessions:
        await seeding.seed(
            sessions,
            data_dir=settings.data_dir,
            map_path=map_path,
            hasher=Argon2Hasher(),
            clock_now=SystemClock().now,
            demo=not settings.is_production,
            progress=errors,
        )


def seed_city(settings: Settings, url: str) -> None:
    try:
        asyncio.run(_seed(settings, url, settings.map))
    except (OSError, ValueError) as error:
        raise fail(f"The map cannot be used: {error}") from None


@cli.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on (NIMROD_PORT, else 8000).")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (NIMROD_HOST, else 127.0.0.1).")] = None,
    worker: Annotated[bool, typer.Option(help="Run a worker inside this process.")] = True,
    prepared: Annotated[bool, typer.Option(help="Bring the database up to date and seed a city first.")] = True,
    protocol_probe: Annotated[bool, typer.Option(help="Serve a small schema for conformance checks at /probe.")] = False,
) -> None:
    """Serve the API, and a worker unless told otherwise: one command is a whole city."""
    from app import database

    settings = load_settings(port=port, host=host)
    if protocol_probe and settings.is_production:
        raise fail("--protocol-probe is for conformance checks: production refuses it.")
    refuse_busy_port(settings)
    if prepared:
        url = prepare(settings)
        refuse_demo_accounts(settings, url)
        seed_city(settings, url)
    else:
        url = database.plain_url(settings)
    run_server(settings, url, with_worker=worker, with_probe=protocol_probe)


def refuse_demo_accounts(settings: Settings, url: str) -> None:
    """Their password is public: a production that has them is open to everybody."""
    if not settings.is_production:
        return
    import psycopg

    from app import demo

    with psycopg.connect(url) as connection:
        found = connection.execute(
            "select email from customers where email = any(%s) union select email from staff where email = any(%s)",
            [list(demo.RIDERS), list(demo.STAFF)],
        ).fetchall()
    if found:
        raise fail(f"This database holds demo accounts, which production refuses: {', '.join(row[0] for row in found)}.")


def refuse_busy_port(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise fail(f"Port {settings.port} is busy: {error.strerror}. Choose another with --port.") from None


def run_server(settings: Settings, url: str, *, with_worker: bool, with_probe: bool = False) -> None:
    import uvicorn

    from app import server, telemetry
    from app.main import create_app

    telemetry.set_up_logging(settings.log_level)
    app = create_app(settings, url, with_worker=with_worker, with_probe=with_probe)
    _announce(settings)
    # uvicorn raises the signal again once it has shut down: a plain death would leave the embedded database running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        # Schema and modules stay: no collection of garbage need look at them again, which is most of what one would take.
        gc.collect()
        gc.freeze()
        uvicorn.Server(server.config_of(app, settings)).run()


def _announce(settings: Settings) -> None:
    at = f"http{'s' if settings.tls_certificate else ''}://{settings.host}:{settings.port}"
    table = Table(title="Nimrod", show_header=False, title_justify="left")
    table.add_row("GraphQL", f"{at}/graphql")
    if not settings.is_production:
        from app import demo
        from app.web import page

        has_page = (page.DIST_DIR / "index.html").exists()
        table.add_row("GraphiQL", f"{at}/graphql (in a browser)" if has_page else "not built: it needs Node.js 20 or newer")
        for account in demo.ACCOUNTS:
            table.add_row(account["label"], f"{account['email']} / {account['password']} ({account['audience']})")
    table.add_row("Ready?", f"{at}/health/ready")
    errors.print(table)
    # Outside the table, unbroken: these are for pasting.
    lines = [
        f"curl -s {at}/graphql -H 'content-type: application/json' -d '{FIRST_QUERY}'",
        f'.venv/bin/nimrod ask "Book a bike from Central Station to the Museum" --url {at}/graphql',
        f".venv/bin/nimrod ride --url {at}/graphql",
    ]
    errors.print("Try:", *lines, sep="\n  ", soft_wrap=True, highlight=False, markup=False)


@cli.command()
def work() -> None:
    """Run a worker alone, beside any number of API processes."""
    from app import telemetry

    settings = load_settings()
    telemetry.set_up_logging(settings.log_level)
    asyncio.run(_work(settings, prepare(settings)))


async def _work(settings: Settings, url: str) -> None:
    from app import database
    from app.doorbell import Doorbell
    from app.gateways.clock import SystemClock
    from app.worker import Worker

    bell = Doorbell.at(settings.doorbell_url, url) if settings.doorbell_url else None
    async with database.opened(settings, url, bell) as sessions:
        if bell is not None:
            await bell.open()
        working = asyncio.create_task(Worker(settings, url, sessions, SystemClock()).run())
        for name in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(name, working.cancel)
        await asyncio.gather(working, return_exceptions=True)
        if bell is not None:
            await bell.close()


@cli.command()
def migrate() -> None:
    """Bring the database up to date."""
    prepare(load_settings())
    console.print("The database is up to date.")


@cli.command()
def seed(
    map_path: Annotated[Path | None, typer.Option("--map", help="An OpenStreetMap extract (NIMROD_MAP).")] = None,
) -> None:
    """Make a city: from a map, or one made up. Again it changes nothing."""
    settings = load_settings(map=map_path)
    seed_city(settings, prepare(settings))


def main() -> None:
    cli()
