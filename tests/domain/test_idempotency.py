"""The same key does its act once and answers the same for a day."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from app.database import SessionFactory
from domain import errors, idempotency, ids
from tests.conftest import FixedClock

ACCOUNT = ids.new()


async def claim(
    session_factory: SessionFactory, now: datetime, key: str = "k", *, result: UUID | None = None, **given: Any
) -> UUID | None:
    async with session_factory.begin() as session:
        return await idempotency.claim(
            session,
            account_id=ACCOUNT,
            mutation="reserve_vehicle",
            key=key,
            given=given,
            result_id=result or ids.new(),
            now=now,
        )


async def test_the_first_caller_acts_and_the_others_get_the_result(session_factory: SessionFactory, clock: FixedClock) -> None:
    wanted = [ids.new() for _ in range(10)]
    seen = await asyncio.gather(*(claim(session_factory, clock.now(), result=one) for one in wanted))
    assert seen.count(None) == 1
    acted = wanted[seen.index(None)]
    assert {one for one in seen if one is not None} == {acted}


async def test_a_second_caller_waits_for_the_first_and_acts_when_it_failed(
    session_factory: SessionFactory, clock: FixedClock
) -> None:
    given: dict[str, Any] = {"account_id": ACCOUNT, "mutation": "reserve_vehicle", "key": "k", "given": {}, "now": clock.now()}
    async with session_factory() as first:
        assert await idempotency.claim(first, result_id=ids.new(), **given) is None
        second = asyncio.ensure_future(claim(session_factory, clock.now()))
        assert not (await asyncio.wait([second], timeout=0.1))[0]
        await first.rollback()
    assert await second is None


async def test_the_same_key_with_other_input_is_a_conflict(session_factory: SessionFactory, clock: FixedClock) -> None:
    await claim(session_factory, clock.now(), vehicle="one")
    with pytest.raises(errors.IdempotencyConflict):
        await claim(session_factory, clock.now(), vehicle="other")
    assert await claim(session_factory, clock.now(), "another key", vehicle="other") is None


async def test_a_key_is_remembered_for_a_day(session_factory: SessionFactory, clock: FixedClock) -> None:
    result = ids.new()
    await claim(session_factory, clock.now(), result=result)
    clock.advance(hours=24)
    assert await claim(session_factory, clock.now()) == result
    clock.advance(seconds=1)
    assert await claim(session_factory, clock.now(), vehicle="other") is None


async def test_old_keys_are_forgotten(session_factory: SessionFactory, clock: FixedClock) -> None:
    result = ids.new()
    await claim(session_factory, clock.now(), "old")
    clock.advance(hours=12)
    await claim(session_factory, clock.now(), "young", result=result)
    clock.advance(hours=13)
    async with session_factory.begin() as session:
        await idempotency.forget_old_keys(session, now=clock.now())
    assert await claim(session_factory, clock.now(), "young") == result
    assert await claim(session_factory, clock.now(), "old", vehicle="other") is None


@pytest.mark.parametrize("key", ["", "k" * 101])
async def test_a_key_has_a_length(session_factory: SessionFactory, clock: FixedClock, key: str) -> None:
    with pytest.raises(errors.InvalidInput):
        await claim(session_factory, clock.now(), key)


def test_the_digest_does_not_hang_on_the_order_of_keys() -> None:
    assert idempotency.digest({"a": 1, "b": [1, 2]}) == idempotency.digest({"b": [1, 2], "a": 1})
    assert idempotency.digest({"a": 1}) != idempotency.digest({"a": "1"})


async def test_a_refusal_that_leaves_something_behind_gives_its_key_back(
    session_factory: SessionFactory, clock: FixedClock
) -> None:
    given: dict[str, Any] = {"account_id": ACCOUNT, "mutation": "reserve_vehicle", "key": "k"}
    async with session_factory.begin() as first:
        assert await idempotency.claim(first, result_id=ids.new(), given={"at": 1}, now=clock.now(), **given) is None
        second = asyncio.ensure_future(claim(session_factory, clock.now(), at=2))
        assert not (await asyncio.wait([second], timeout=0.1))[0], "it waits for the first"
        await idempotency.release(first, **given)
    assert await second is None, "it tries again, with other input"
    with pytest.raises(errors.IdempotencyConflict):
        await claim(session_factory, clock.now(), at=1)
