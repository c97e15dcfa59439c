"""Work for the workers, deferred by task name inside the transaction that asks for it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


class Queue(StrEnum):
    CUSTOMER = "customer"
    OPS = "ops"
    PLANNING = "planning"


ANSWER_TURN = "answer_turn"
DELIVER_NOTIFICATION = "deliver_notification"
CHECK_LICENCE = "check_licence"
BUILD_EXPORT = "build_export"
SEND_LOCK_COMMAND = "send_lock_command"
ASK_GATEWAY = "ask_gateway"

# procrastinate's own SQL function, called through our session: gone on rollback, visible with the commit.
_DEFER = text(
    "select procrastinate_defer_jobs_v1(array[row(cast(:queue as varchar), cast(:task as varchar), 0,"
    " cast(:lock as text), cast(null as text), cast(:args as jsonb), cast(null as timestamptz))::procrastinate_job_to_defer_v1])"
)


async def defer(session: AsyncSession, task: str, args: dict[str, Any], *, queue: Queue, lock: str) -> None:
    """Jobs of one `lock` run one at a time, in the order they were deferred."""
    await session.execute(_DEFER, {"queue": queue, "task": task, "lock": lock, "args": orjson.dumps(args).decode()})
