"""Clients of server-sent events from npm: graphql-sse's own, and an EventSource that comes back as browsers do."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.app import ways
from tests.journeys import clients, riders
from tests.journeys.clients import Api
from tests.live import Launcher

ROOT = Path(__file__).parent.parent.parent
OWN = Path(__file__).parent / "event_sources"
INSTALLED = ROOT / ".nimrod" / "event-sources"

pytestmark = [
    pytest.mark.skipif(shutil.which("npm") is None, reason="Node.js is not installed"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="session")
def packages() -> Path:
    """A copy of the clients with their packages, installed once for every state of the lock file."""
    folder = INSTALLED / hashlib.sha256((OWN / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    with (INSTALLED / "lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        shutil.copytree(OWN, folder, dirs_exist_ok=True)
        if not (folder / "node_modules" / ".package-lock.json").exists():
            command = ["npm", "ci", "--no-audit", "--no-fund"]
            installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if installed.returncode != 0:
                pytest.skip(f"the clients cannot be installed: {installed.stderr[-300:]}")
    return folder


@asynccontextmanager
async def said(packages: Path, *arguments: str, token: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    """What the clients tell, line by line."""
    environment = {**os.environ, "NIMROD_TOKEN": token, "NO_PROXY": "*"}
    running = await asyncio.create_subprocess_exec(
        "node", "clients.mjs", *arguments, cwd=packages, env=environment, stdout=asyncio.subprocess.PIPE
    )

    async def lines() -> AsyncIterator[dict[str, Any]]:
        assert running.stdout is not None
        async for line in running.stdout:
            yield json.loads(line)

    try:
        yield lines()
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def until(heard: AsyncIterator[dict[str, Any]], name: str, value: Any = None) -> list[Any]:
    """Values of the events up to there."""
    events = []
    async with asyncio.timeout(clients.PATIENCE_SECONDS):
        async for one in heard:
            if one["name"] == "event":
                events.append(one["value"])
            if one["name"] == name and value in (None, one["value"]):
                return events
    raise AssertionError(f"{name} was never said")


async def test_clients_from_npm_are_served_and_come_back_without_a_gap(
    packages: Path, serve: Launcher, demo_database: str
) -> None:
    options = ("--no-worker", "--no-prepared", "--protocol-probe")
    first = serve(demo_database, *options)
    metro = await riders.watched_metro(Api(first.graphql_url, first.dispatcher_token))
    with psycopg.connect(demo_database, autocommit=True) as database:
        arguments = (first.probe_url, first.graphql_url, metro["id"], "7")
        async with said(packages, *arguments, token=first.dispatcher_token) as heard:
            assert [await anext(heard) for _ in range(4)] == [
                {"name": "query", "value": [{"data": {"hello": "hello"}}]},
                {"name": "subscription", "value": [{"data": {"count": number}} for number in range(3)]},
                {"name": "error", "value": "GRAPHQL_VALIDATION_FAILED"},
                {"name": "left", "value": None},
            ]
            await until(heard, "open")
            # Not known to be live: an event that is published now may come or not.
            await live(database, metro, heard)
            ways.publish(database, metro, 1, 3)
            assert [n for n in await until(heard, "event", 3) if n] == [1, 2, 3]
            first.stop()
            ways.publish(database, metro, 4, 6)
            serve(demo_database, *options, port=int(first.url.rsplit(":", 1)[1]))
            ways.publish(database, metro, 7, 7)
            assert await until(heard, "event", 7) == [4, 5, 6, 7]


async def live(database: psycopg.Connection, metro: dict[str, Any], heard: AsyncIterator[dict[str, Any]]) -> None:
    """Publishes events numbered 0 until one has come."""
    coming = asyncio.create_task(until(heard, "event"))
    while not coming.done():
        ways.publish(database, metro, 0, 0)
        await asyncio.wait([coming], timeout=0.1)
    await coming
