"""Chaos: whatever happens below the streams, every subscriber gets what the table has, once and in its order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from tests.live import Launcher, LiveServer
from tests.soak import scene as scenes
from tests.soak.cluster import PostgreSQL, Redis, terminate_all
from tests.soak.conftest import Report
from tests.soak.gate import WeatherGate
from tests.soak.scene import API, SECONDS, SUBSCRIBERS, Scene

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]
Stage = Callable[..., Scene]
Harm = Callable[[Scene, int], None]

PAUSE_SECONDS = 5.0
HELD_SECONDS = 10.0
#: numbers of events that are not the publisher's
HELD_NUMBERS = 1_000_000


@pytest.fixture
def two(serve: Launcher, soak_database: str, stage: Stage) -> Callable[..., Scene]:
    """A scene with two API processes and a worker, and all subscribers live: `two(url, NIMROD_…=…)`."""

    def begin(url: str = soak_database, **env: Any) -> Scene:
        serve(url, command="work", **env)
        servers = [serve.begin(url, *API, **scenes.SETTINGS, **env) for _ in range(2)]
        for server in servers:
            server.wait_until_ready()
        scene = stage(*servers, **env)
        scene.gather(SUBSCRIBERS)
        return scene

    return begin


def endure(
    scene: Scene, report: Report, harm: Harm, every: float = PAUSE_SECONDS, calm: Callable[[], None] = lambda: None
) -> None:
    """Publishes for the given time and harms again and again, then calms and holds everybody against the table."""
    publisher = scene.publisher()
    publisher.ask("burst", count=1)
    scene.wait_until_level(1)
    publisher.ask("go")
    started, times = time.monotonic(), 0
    while (left := started + SECONDS - time.monotonic()) > 0:
        time.sleep(min(every, left))
        if left > every:
            harm(scene, times)
            times += 1
    calm()
    finish(scene, report, publisher.ask("stop"), harmed=times)


def finish(scene: Scene, report: Report, published: dict[str, Any], **figures: Any) -> None:
    numbers = scene.table()
    seconds = scene.wait_until_level(numbers[-1])
    committed = published["committed"]
    assert set(numbers) >= {n for n, _ in committed}, "what was committed is in the table"
    verdict, more = scene.judge(numbers)
    p50, p99, longest = scene.ask_all("latency", committed=committed)[0]
    report(
        **figures,
        subscribers=SUBSCRIBERS,
        seconds=SECONDS,
        events_in_the_table=len(numbers),
        tries_that_failed=published["unknown"],
        **more,
        **vars(verdict),
        level_after_seconds=seconds,
        latency_p50_ms=p50,
        latency_p99_ms=p99,
        latency_longest_ms=longest,
    )
    assert verdict.is_clean, more["worst"]
    assert verdict.announced == verdict.skipped == 0, "nothing here makes a gap"
    assert more["deliveries"] == len(numbers) * SUBSCRIBERS
    assert len(numbers) > SECONDS * scenes.EVENTS_PER_SECOND / 4, "enough was committed to mean something"


def test_no_event_is_lost_when_postgresql_is_restarted(two: Stage, cluster: PostgreSQL, report: Report) -> None:
    def restart(_: Scene, times: int) -> None:
        cluster.stop("immediate")
        # Every other time it stays away for a while.
        time.sleep(2 if times % 2 else 0)
        cluster.start()

    endure(two(), report, restart, every=SECONDS / 5)


def test_no_event_is_lost_when_all_connections_are_terminated(two: Stage, report: Report) -> None:
    def terminate(scene: Scene, _: int) -> None:
        assert terminate_all(scene.database_url) > 0

    endure(two(), report, terminate)


def test_no_event_is_lost_when_redis_is_restarted(two: Stage, report: Report) -> None:
    redis = Redis()

    def restart(_: Scene, times: int) -> None:
        redis.kill()
        # Every other time it stays away for a while.
        time.sleep(2 if times % 2 else 0)
        redis.start()

    try:
        endure(two(NIMROD_DOORBELL_URL=redis.url), report, restart, every=SECONDS / 6)
    finally:
        redis.kill()


def test_no_event_is_lost_when_api_processes_are_killed(two: Stage, report: Report) -> None:
    def kill(scene: Scene, times: int) -> None:
        server: LiveServer = scene.servers[times % len(scene.servers)]
        server.kill()
        scene.replace(server)

    endure(two(), report, kill)


@pytest.fixture
def gate(soak_database: str) -> Iterator[WeatherGate]:
    made = WeatherGate(soak_database)
    made.open()
    yield made
    made.close()


# Connections are cut while they are being made: what the relay had of them is left to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_no_event_is_lost_when_the_database_is_slow_and_resets(two: Stage, gate: WeatherGate, report: Report) -> None:
    def calm() -> None:
        gate.latency_seconds = 0

    scene = two(gate.url)
    gate.latency_seconds = 2
    endure(scene, report, lambda *_: gate.reset(), every=SECONDS / 4, calm=calm)


def test_no_event_is_lost_behind_an_open_transaction(two: Stage, report: Report) -> None:
    insert = (
        "insert into event_log (topic, kind, version, payload)"
        " select topic, kind, version, jsonb_set(payload, '{odometerMeters}', to_jsonb(%s)) from event_log"
        " where topic = %s limit 1"
    )

    def hold(scene: Scene, times: int) -> None:
        with suppress(psycopg.Rollback), psycopg.connect(scene.database_url) as connection:
            connection.execute(insert, [HELD_NUMBERS + times, scene.topic])
            time.sleep(min(HELD_SECONDS, SECONDS / 4))
            if times % 3 == 2:
                connection.rollback()

    endure(two(), report, hold, every=2)
