"""History: how long the event log keeps what, and the horizon that tells what is gone.

The horizon of a topic is the position of the newest event that was deleted, written in the transaction that deletes. It is
kept per topic, not per class: who follows a quiet topic has lost nothing when a busy one of its class is cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

#: By topic class, which is what stands before the colon: for how long events are kept. None: until the object that they
#: tell of is erased.
KEPT: Mapping[str, timedelta | None] = {
    "chat": None,
    "dispatch": timedelta(days=7),
    # A booking is over 14 days after it was made (7 ahead, 7 long): a device that was off for all of it, and as long again,
    # still hears of every step. No longer, for it tells of one person.
    "rider": timedelta(days=30),
}
#: events that one transaction deletes at most
BATCH = 1000

# The index is named by its expression and its condition; a chat is not in it, so its class cannot have an age without another
# index. Sweepers beside each other skip what the other one has.
_FORGET = text(
    "with old as (select seq from event_log where split_part(topic, ':', 1) = :topic_class and topic not like 'chat:%'"
    "  and at < :before and xid < pg_snapshot_xmin(pg_current_snapshot())"
    "  order by at limit :limit for update skip locked),"
    " gone as (delete from event_log e using old where e.seq = old.seq returning e.topic, e.xid, e.seq),"
    " noted as (insert into event_log_horizons as h (topic, xid, seq)"
    "  select distinct on (topic) topic, xid, seq from gone order by topic, xid desc, seq desc"
    "  on conflict (topic) do update set xid = excluded.xid, seq = excluded.seq"
    "  where (h.xid, h.seq) < (excluded.xid, excluded.seq))"
    " select count(*) from gone"
)
_ERASE = text(
    "with gone as (delete from event_log where topic = :topic returning topic, xid, seq),"
    " noted as (insert into event_log_horizons as h (topic, xid, seq)"
    "  select topic, xid, seq from gone order by xid desc, seq desc limit 1"
    "  on conflict (topic) do update set xid = excluded.xid, seq = excluded.seq"
    "  where (h.xid, h.seq) < (excluded.xid, excluded.seq))"
    " select count(*) from gone"
)


async def forget_events(session: AsyncSession, topic_class: str, *, before: datetime, limit: int = BATCH) -> int:
    """Deletes events of a class that were written before an instant, oldest first, and nothing that is not settled.
    Returns how many; fewer than `limit` when no more are due. Several sweepers may run at once."""
    given = {"topic_class": topic_class, "before": before, "limit": limit}
    count: int = (await session.execute(_FORGET, given)).scalar_one()
    return count


async def erase_topic(session: AsyncSession, topic: str) -> int:
    """Deletes every event of a topic. Cursors of before are told of the gap, unless the object is gone with its events.
    What is appended beside it stays: the caller sees to it that nobody writes to the topic any more."""
    count: int = (await session.execute(_ERASE, {"topic": topic})).scalar_one()
    return count
