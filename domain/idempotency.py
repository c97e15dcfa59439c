"""Idempotency keys: the same key with the same input does its act once, and answers the same for 24 hours."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, tables
from domain.values import is_storable

KEPT = timedelta(hours=24)
MAX_KEY_LENGTH = 100


def digest(value: dict[str, Any]) -> bytes:
    """SHA-256 of canonical JSON: sorted keys, no spaces."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).digest()


async def claim(
    session: AsyncSession, *, account_id: UUID, mutation: str, key: str, given: dict[str, Any], result_id: UUID, now: datetime
) -> UUID | None:
    """Writes the key into the act's own transaction. Returns None when the act is ours to do, else the id that the
    first caller's act resulted in; a caller that comes while the first is at work waits for its commit or rollback.

    Raises InvalidInput (empty or too long key), IdempotencyConflict (same key, other input).
    """
    _check(key)
    row = {
        "account_id": account_id,
        "mutation": mutation,
        "key": key,
        "input_digest": digest(given),
        "result_id": result_id,
        "created_at": now,
    }
    keys = tables.IdempotencyKey
    statement = (
        insert(keys)
        .values(row)
        .on_conflict_do_update(
            index_elements=["account_id", "mutation", "key"],
            set_=row,
            where=or_(keys.created_at < now - KEPT, keys.created_at > now + KEPT),
        )
        .returning(keys.result_id)
    )
    if (await session.execute(statement)).scalar_one_or_none() is not None:
        return None
    seen = (
        await session.execute(
            select(keys.input_digest, keys.result_id).where(
                keys.account_id == account_id, keys.mutation == mutation, keys.key == key
            )
        )
    ).one()
    if seen.input_digest != row["input_digest"]:
        raise errors.IdempotencyConflict(path="idempotencyKey")
    result: UUID = seen.result_id
    return result


def _check(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not is_storable(key):
        raise errors.InvalidInput.of("idempotencyKey", f"An idempotency key has 1 to {MAX_KEY_LENGTH} characters.")


async def release(session: AsyncSession, *, account_id: UUID, mutation: str, key: str) -> None:
    """Gives back a key that the transaction has claimed: for a refusal that leaves something behind, which is committed. The
    same key may then try again, with the same input or another."""
    keys = tables.IdempotencyKey
    await session.execute(delete(keys).where(keys.account_id == account_id, keys.mutation == mutation, keys.key == key))


async def recall(
    session: AsyncSession, *, account_id: UUID, mutation: str, key: str, given: dict[str, Any], now: datetime
) -> UUID | None:
    """What an act with this key resulted in, for acts that begin outside the database; None when there was none: it still has to
    claim the key. Raises InvalidInput, IdempotencyConflict."""
    _check(key)
    keys = tables.IdempotencyKey
    found = select(keys.input_digest, keys.result_id).where(
        keys.account_id == account_id, keys.mutation == mutation, keys.key == key, keys.created_at >= now - KEPT
    )
    seen = (await session.execute(found)).one_or_none()
    if seen is None:
        return None
    if seen.input_digest != digest(given):
        raise errors.IdempotencyConflict(path="idempotencyKey")
    result: UUID = seen.result_id
    return result


async def forget_old_keys(session: AsyncSession, *, now: datetime) -> None:
    await session.execute(delete(tables.IdempotencyKey).where(tables.IdempotencyKey.created_at < now - KEPT))
