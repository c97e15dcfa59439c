"""Duties: one process at a time, and another when that one is gone."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from app.duties import Duty
from tests.journeys import waiting

LOOK = 0.02


class Post:
    """Where somebody acts until it is cancelled."""

    def __init__(self, database_url: str, name: str = "guard") -> None:
        self.duty = Duty(database_url, name, look_seconds=LOOK)
        self.is_manned = False

    async def act(self) -> None:
        self.is_manned = True
        try:
            await asyncio.Event().wait()
        finally:
            self.is_manned = False


async def test_of_many_one_is_on_duty_and_the_next_takes_over(database_url: str) -> None:
    posts = [Post(database_url) for _ in range(3)]
    other = Post(database_url, "cook")
    tasks = {post: asyncio.ensure_future(post.duty(post.act)) for post in (*posts, other)}
    await waiting.until(lambda: other.is_manned)
    for _ in range(3):
        await waiting.until(lambda: any(post.is_manned for post in posts))
        (manned,) = [post for post in posts if post.is_manned]
        tasks[manned].cancel()
        await asyncio.gather(tasks[manned], return_exceptions=True)
        posts.remove(manned)
    tasks[other].cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_who_is_cut_off_from_the_database_stops_acting(database_url: str) -> None:
    post = Post(database_url)
    acting = asyncio.ensure_future(post.duty(post.act))
    await waiting.until(lambda: post.is_manned)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()"
            " and database = (select oid from pg_database where datname = current_database())"
        )
    async with asyncio.timeout(30):
        with pytest.raises(psycopg.OperationalError):
            await acting
    assert not post.is_manned


async def test_what_the_act_raises_ends_the_duty(database_url: str) -> None:
    async def fail() -> None:
        raise LookupError

    first = Post(database_url)
    with pytest.raises(LookupError):
        await first.duty(fail)
    acting = asyncio.ensure_future(first.duty(first.act))
    await waiting.until(lambda: first.is_manned)
    acting.cancel()
    await asyncio.gather(acting, return_exceptions=True)
