"""Reconnects: a process dies under ten thousand subscribers, and all of them are at the door of the next one at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from tests.live import Launcher
from tests.soak.conftest import Report
from tests.soak.scene import API, SETTINGS, Scene, cpu_seconds, peak_bytes, resident_bytes

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

SUBSCRIBERS = int(os.environ.get("NIMROD_SOAK_RECONNECTS", "10000"))
PROCESSES = 2
#: a restart takes two seconds, and there are 20 events in each
BEFORE, AWAY = 50, 40
#: all come back within it
RUSH_SECONDS = 1.0
#: what happens anew while they come back
ALONG_SECONDS = 5.0
LIMIT_SECONDS = 120.0
LIMIT_BYTES = 1 << 30


def test_ten_thousand_come_back_at_once_and_miss_nothing(
    serve: Launcher, soak_database: str, stage: Callable[..., Scene], report: Report
) -> None:
    first = serve(soak_database, *API, **SETTINGS)
    scene = stage(first)
    empty = resident_bytes(first)
    scene.gather(SUBSCRIBERS, PROCESSES)
    publisher = scene.publisher()
    publisher.ask("burst", count=BEFORE)
    scene.wait_until_level(scene.table()[-1])
    steady = resident_bytes(first)
    scene.ask_all("hold")
    first.kill()
    publisher.ask("burst", count=AWAY)
    behind = scene.table()[-1]
    second = scene.replace(first)
    second.wait_until_ready()
    used = cpu_seconds(second)
    publisher.ask("go")
    released = min(scene.ask_all("release", seconds=RUSH_SECONDS))
    time.sleep(ALONG_SECONDS)
    publisher.ask("stop")
    numbers = scene.table()
    had_what_they_missed = _seconds_until_all_have(scene, behind, released)
    level = _seconds_until_all_have(scene, numbers[-1], released)
    used = cpu_seconds(second) - used
    verdict, more = scene.judge(numbers)
    report(
        subscribers=SUBSCRIBERS,
        events_while_away=AWAY,
        **more,
        **vars(verdict),
        events_while_they_come_back=len(numbers) - BEFORE - AWAY,
        seconds_until_the_last_has_what_it_missed=had_what_they_missed,
        seconds_until_the_last_is_level=level,
        server_cpu_seconds_until_then=used,
        server_mib_empty=empty / 2**20,
        server_mib_before_the_restart=steady / 2**20,
        server_mib_peak_after_it=peak_bytes(second) / 2**20,
        server_mib_at_the_end=resident_bytes(second) / 2**20,
    )
    assert verdict.is_clean, more["worst"]
    assert verdict.announced == 0
    assert more["deliveries"] == len(numbers) * SUBSCRIBERS
    assert level < LIMIT_SECONDS
    assert peak_bytes(second) < LIMIT_BYTES


def _seconds_until_all_have(scene: Scene, n: int, since: float) -> float:
    """Limited, for the verdict to say who has not."""
    while time.time() - since < LIMIT_SECONDS:
        instants = scene.ask_all("reached", n=n)
        if None not in instants:
            return float(max(instants)) - since
        time.sleep(0.5)
    return LIMIT_SECONDS
