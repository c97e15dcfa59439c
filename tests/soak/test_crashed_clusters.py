"""Crashed clusters: PostgreSQL gives out a transaction's number again when a crash has forgotten it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.live import Launcher
from tests.soak.cluster import PostgreSQL
from tests.soak.scene import API, SETTINGS, Scene

pytestmark = pytest.mark.soak

SUBSCRIBERS, EVENTS, FORGOTTEN = 10, 10, 200


def test_a_cursor_from_just_before_a_crash_misses_nothing(
    serve: Launcher, cluster: PostgreSQL, soak_database: str, stage: Callable[..., Scene]
) -> None:
    """A rollback is not written to disk before it is over: a crash may forget that its number was ever used, while a
    cursor stands behind it already."""
    scene = stage(serve(soak_database, *API, **SETTINGS))
    with psycopg.connect(soak_database, autocommit=True) as connection:
        connection.execute("alter system set wal_writer_delay = '10s'")
        connection.execute("select pg_reload_conf()")
        for _ in range(FORGOTTEN):
            with connection.transaction(force_rollback=True):
                connection.execute("insert into event_log (topic, kind, version, payload) values ('none', 'none', 1, '{}')")
        scene.metro = scene.metro_now()
    cluster.stop("immediate")
    cluster.start()
    publisher = scene.publisher()
    publisher.ask("burst", count=EVENTS)
    numbers = scene.table()
    assert len(numbers) == EVENTS
    scene.gather(SUBSCRIBERS)
    scene.wait_until_level(numbers[-1], seconds=10)
    verdict, more = scene.judge(numbers)
    assert verdict.is_clean, (more["worst"], more["happened"])
