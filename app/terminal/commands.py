"""The commands of people who use or look after a city: ask, ride, watch, mails, token, backup, restore."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Literal

import typer

from app import demo
from app.terminal.client import ClientError
from app.terminal.console import console, errors, fail, load_settings, printable
from app.terminal.link import Account, Link

URL = "http://127.0.0.1:8000/graphql"
#: how long `ask` tries to come back to a lost conversation
PATIENCE_SECONDS = 30.0

Urls = Annotated[
    str, typer.Option("--url", envvar="NIMROD_URL", help="The server; several, separated by commas, are tried in turn.")
]
Metro = Annotated[str | None, typer.Option(help="Id or name; the default metro when left out.")]


def ask(
    text: Annotated[str, typer.Argument(help='What you would say, such as "Book a bike from Central Station to the Museum".')],
    url: Urls = URL,
    answer: Annotated[bool | None, typer.Option("--yes/--no", help="Decide without being asked.")] = None,
    metro: Metro = None,
    near: Annotated[str | None, typer.Option(metavar="LAT,LON", help="Where you are.")] = None,
) -> None:
    """Chat with the Travel Agent of a running server, as NIMROD_TOKEN's rider or the demo rider.

    Exits with 0 when what was asked for is done or answered, 1 when not, 3 when the agent asked back and nobody could answer.
    """
    from app.terminal.ask import Asking
    from app.terminal.screen import Screen

    position = _position(near)

    async def run() -> int:
        link = _link(url, "customer", next(iter(demo.RIDERS)), PATIENCE_SECONDS)
        try:
            return await Asking(link, Screen(console), answer=answer, near=position).ask(text, metro)
        finally:
            await link.close()

    if code := _run(run()):
        raise typer.Exit(code)


def ride(
    vehicle_type: Annotated[
        Literal["scooter", "bike", "car", "van"], typer.Option("--vehicle-type", help="What to ride.")
    ] = "scooter",
    start: Annotated[str | None, typer.Option("--from", metavar="PLACE", help="Take a vehicle near there.")] = None,
    destination: Annotated[
        str | None,
        typer.Option("--to", metavar="PLACE", help="Ride there; else somewhere near. Cars and vans: to a station there."),
    ] = None,
    pause: Annotated[float, typer.Option(min=0, max=3600, help="Seconds that it is paused for on the way.")] = 0,
    receipt: Annotated[Path | None, typer.Option(help="Where to save the receipt, as PDF.")] = None,
    speed: Annotated[float, typer.Option(min=0.1, help="Times as fast as in a street; 180 km/h at most, or it is a jump.")] = 10,
    url: Urls = URL,
    metro: Metro = None,
) -> None:
    """Play a whole ride against a running server, as NIMROD_TOKEN's rider or the demo rider: find, reserve, unlock, ride, return
    with a photo, pay. Goes on with a trip that is open already.

    Exits with 0 when there is a receipt, 1 when it did not come to that; the last line says why.
    """
    from app.terminal.ride import Riding, Wish
    from app.terminal.ride_screen import Progress

    wish = Wish(vehicle_type, start, destination, pause, speed, receipt)

    async def run() -> int:
        link = _link(url, "customer", next(iter(demo.RIDERS)), PATIENCE_SECONDS)
        try:
            await Riding(link, Progress(console), wish).ride(metro)
        finally:
            await link.close()
        return 0

    _run(run())


def watch(
    url: Urls = URL,
    metro: Metro = None,
    after: Annotated[str | None, typer.Option(metavar="CURSOR", help="Go on behind this cursor.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object on each line, with its cursor.")] = False,
) -> None:
    """Print the dispatch stream of a running server, as NIMROD_TOKEN's member of staff or the demo dispatcher."""
    from app.terminal.watch import watch as watching

    async def run() -> int:
        link = _link(url, "ops", next(iter(demo.STAFF)), math.inf)
        try:
            await watching(link, console, metro=metro, after=after, as_json=as_json, tell=_tell)
        finally:
            await link.close()
        return 0

    _run(run(), interrupted=0)


def mails(
    url: Urls = URL,
    count: Annotated[int, typer.Option(min=1, max=100, help="How many, the latest first.")] = 10,
    as_text: Annotated[bool, typer.Option("--text", help="With their texts.")] = False,
) -> None:
    """Print what a development server would have sent to riders, with its links, as NIMROD_TOKEN's member of staff or the demo
    dispatcher."""
    from app.terminal.mails import mails as showing

    async def run() -> int:
        link = _link(url, "ops", next(iter(demo.STAFF)), PATIENCE_SECONDS)
        try:
            await showing(link, console, count=count, as_text=as_text)
        finally:
            await link.close()
        return 0

    _run(run())


def token(
    email: Annotated[str, typer.Option(help="Whose.")],
    ops: Annotated[bool, typer.Option("--ops", help="As a member of staff, when the email is also a rider's.")] = False,
) -> None:
    """Print an access token for scripts, made with the database and the signing key."""
    from app.terminal import tokens

    settings = load_settings()
    try:
        print(asyncio.run(tokens.access_token(settings, email, ops=ops)))  # noqa: T201 -- nothing else, for `$(…)`
    except tokens.NoToken as error:
        raise fail(str(error)) from None


def backup(file: Annotated[Path, typer.Argument(help="Where to write it; replaced when it is there.")]) -> None:
    """Write the whole database to a file, while everything runs."""
    from app import backups, database

    settings = load_settings()
    try:
        with errors.status("Backing up…"):
            made = backups.back_up(database.plain_url(settings), file)
    except backups.BackupFailed as error:
        raise fail(str(error)) from None
    console.print(f"{file}: {made.megabytes:.1f} MB from PostgreSQL {made.server_version}.", soft_wrap=True)


def restore(
    file: Annotated[Path, typer.Argument(help="What `nimrod backup` has written.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Also when the database is not empty; what is in it is lost.")
    ] = False,
) -> None:
    """Bring back what a backup holds: all of it, or nothing changes. Streams of before are told to read anew."""
    from app import backups, database

    settings = load_settings()
    try:
        with errors.status("Restoring…"):
            epoch = backups.restore(database.plain_url(settings), file, replace=replace)
    except backups.BackupFailed as error:
        raise fail(str(error)) from None
    console.print(f"{file} is restored and up to date; the event log is in epoch {epoch}.", soft_wrap=True)


ALL = (ask, ride, watch, mails, token, backup, restore)


def _link(urls: str, audience: str, email: str, patience_seconds: float) -> Link:
    return Link(
        [url.strip() for url in urls.split(",") if url.strip()] or [URL],
        token=os.environ.get("NIMROD_TOKEN") or None,
        account=Account(audience, email, demo.PASSWORD),
        tell=_tell,
        patience_seconds=patience_seconds,
    )


def _tell(line: str) -> None:
    errors.print(printable(line), style="dim", soft_wrap=True, markup=False)


def _position(near: str | None) -> tuple[float, float] | None:
    if near is None:
        return None
    with contextlib.suppress(ValueError):
        lat, lon = (float(part) for part in near.split(","))
        if abs(lat) <= 90 and abs(lon) <= 180:
            return lat, lon
    raise typer.BadParameter("a position is written like 49.41,8.69", param_hint="--near")


def _run(work: Coroutine[None, None, int], *, interrupted: int = 130) -> int:
    """The exit code of the work; `interrupted` is that of Ctrl-C."""
    try:
        return asyncio.run(work)
    except ClientError as error:
        raise fail(str(error)) from None
    except BrokenPipeError:
        return 0
    except KeyboardInterrupt:
        return interrupted
