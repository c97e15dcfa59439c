"""The event log: what changed, written in the transaction of the change, read in commit order.

A position is (epoch, xid, seq). Reading stops below the oldest transaction still open (`pg_snapshot_xmin`), so an event
of a slow transaction is never skipped by somebody who already read a later number. What `domain.history` deletes leaves a
horizon: who asks for what lay before it is told so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, TextClause, exc, literal_column, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

VERSION = 1
#: key in a session's `info`
GROWN_TOPICS = "grown topics"
BATCH = 500


@dataclass(frozen=True, slots=True, order=True)
class Position:
    epoch: int
    xid: int
    seq: int


#: topic, kind, payload of an event to append
Draft = tuple[str, str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Event:
    position: Position
    topic: str
    kind: str
    version: int
    payload: dict[str, Any]
    at: datetime
    #: what layers above make of it, made once for all who follow
    views: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Batch:
    events: list[Event]
    #: epoch in force when the log was read
    epoch: int
    #: True when rows wait behind a transaction that is still open: look again soon
    unsettled: bool
    #: Where to go on when what came behind the position asked for is gone or was never there; None: nothing is missing.
    #: All that lies up to it is in whatever is read after this batch.
    gap: Position | None = None


def dispatch_topic(metro_id: UUID) -> str:
    return f"dispatch:{metro_id}"


def rider_topic(customer_id: UUID) -> str:
    return f"rider:{customer_id}"


def chat_topic(conversation_id: UUID) -> str:
    return f"chat:{conversation_id}"


_APPEND = text(
    "insert into event_log (topic, kind, version, payload)"
    " select topic, kind, :version, payload::jsonb"
    " from unnest(cast(:topics as text[]), cast(:kinds as text[]), cast(:payloads as text[])) as e (topic, kind, payload)"
)


async def append(session: AsyncSession, topic: str, kind: str, payload: dict[str, Any]) -> None:
    """Adds one event to the caller's transaction. `payload`: ids and changed facts only, camelCase keys."""
    await append_all(session, [(topic, kind, payload)])


def note_topics(session: AsyncSession, topics: Iterable[str]) -> None:
    """Remembers what the transaction adds to, for a doorbell that is rung after the commit."""
    session.info.setdefault(GROWN_TOPICS, set()).update(topics)


async def append_all(session: AsyncSession, events: Sequence[Draft]) -> None:
    note_topics(session, (topic for topic, _, _ in events))
    await session.execute(
        _APPEND,
        {
            "version": VERSION,
            "topics": [topic for topic, _, _ in events],
            "kinds": [kind for _, kind, _ in events],
            "payloads": [orjson.dumps(payload).decode() for _, _, payload in events],
        },
    )


# The newest of what is settled, be it still there or deleted. Nothing but events that were committed: a number of which the
# disk knows nothing, because its transaction is open or was rolled back, is given out again after a crash, and an event
# that bears it then must not lie below a position of before. An own, open transaction's events are never settled.
_SETTLED = """(select epoch from event_log_epoch) || coalesce((select array[xid::text::bigint, seq] from (
  (select xid, seq from event_log where topic = {topic} and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by xid desc, seq desc limit 1)
  union all
  select xid, seq from event_log_horizons where topic = {topic} and xid < pg_snapshot_xmin(pg_current_snapshot())
) settled order by xid desc, seq desc limit 1), '{{0,0}}'::bigint[])"""


def position_column(topic: str) -> ColumnElement[Any]:
    """For a statement that reads a row together with the position its stream continues from, as `Position(*column)`: every
    event up to it is already in the row's snapshot. Repeats are possible, gaps are not. `topic`: SQL, of the row."""
    return literal_column(_SETTLED.format(topic=topic), ARRAY(BigInteger)).label("log_position")


def position_statement(topic: str) -> TextClause:
    """The same alone. `topic`: SQL; of no topic, null, the position is the beginning."""
    return text("select " + _SETTLED.format(topic=topic))


_POSITION = position_statement(":topic")


async def current_position(session: AsyncSession, topic: str) -> Position:
    return Position(*(await session.execute(_POSITION, {"topic": topic})).scalar_one())


# The epoch, the end of what is settled and the horizon, if that lies ahead of the position, stand beside every event: one
# snapshot says what is there and what is gone. They are worked out once, hence `offset 0`. A horizon that is not settled is
# an event that was erased so early: to tell of it now would skip what an open transaction may still write before it, and to
# read on would hide it.
_READ = """
select e.seq, e.xid::text::bigint, e.kind, e.version, e.payload, e.at, e.xid < s.xmin, s.epoch, s.is_gone, s.is_settled
from (select p.epoch, x.xmin, h.topic is not null as is_gone, h.xid < x.xmin as is_settled
  from event_log_epoch p cross join pg_snapshot_xmin(pg_current_snapshot()) as x (xmin)
  left join event_log_horizons h on h.topic = $1 and (h.xid, h.seq) > ($2::text::xid8, $3::bigint) offset 0
) s left join lateral (
  select * from event_log where topic = $1 and (xid, seq) > ($2::text::xid8, $3::bigint) order by xid, seq limit $4
) e on true
"""
_READ_POSITION = "select " + _SETTLED.format(topic="$1")


async def read_after(reader: AsyncSession | AsyncConnection, topic: str, after: Position, limit: int = BATCH) -> Batch:
    """Settled events of a topic behind a position, in the one order that every reader sees; or the gap, and no events."""
    rows = await _fetch(reader, _READ, topic, str(after.xid), after.seq, limit)
    *_, epoch, is_gone, is_gone_for_all = rows[0]
    if epoch != after.epoch or is_gone_for_all:
        # A later snapshot than the one that told of it: nothing is lost, for the object is read later still. Not from the
        # horizon on: that would be days of what the object tells as well.
        gap = Position(*(await _fetch(reader, _READ_POSITION, topic))[0][0])
        return Batch([], gap.epoch, False, gap)
    if is_gone:
        return Batch([], epoch, True)
    events: list[Event] = []
    for seq, xid, kind, version, payload, at, is_settled, *_ in rows:
        if not is_settled:  # nor when there is none
            break
        events.append(Event(Position(epoch, xid, seq), topic, kind, version, payload, at))
    unsettled = rows[0][0] is not None and len(events) < len(rows)
    return Batch(events, epoch, unsettled)


async def _fetch(reader: AsyncSession | AsyncConnection, statement: str, *given: Any) -> list[Any]:
    """By the driver itself, and without a transaction: on the way to every event of every stream, SQLAlchemy's share was most
    of the cost."""
    connection = await reader.connection() if isinstance(reader, AsyncSession) else reader
    driver: Any = (await connection.get_raw_connection()).driver_connection
    try:
        rows: list[Any] = await driver.fetch(statement, *given)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        await connection.invalidate()  # whatever state it is in
        raise exc.OperationalError(statement, given, error) from error
    except BaseException:
        await connection.invalidate()
        raise
    return rows


_OPEN_EPOCH = text(
    "insert into event_log_epoch (singleton, epoch, system_identifier, raised_at)"
    " values (true, 1, (select system_identifier from pg_control_system()), clock_timestamp())"
    " on conflict (singleton) do update set epoch = event_log_epoch.epoch + 1,"
    " system_identifier = excluded.system_identifier, raised_at = excluded.raised_at"
    " where :force or event_log_epoch.system_identifier <> excluded.system_identifier returning epoch"
)
_SETTLE = (
    text("update event_log set xid = '0'::xid8 where xid <> '0'::xid8"),
    # A horizon of the old numbers would outdate every position of the new ones.
    text("update event_log_horizons set xid = '0'::xid8"),
)


def open_epoch(connection: Connection, *, force: bool = False) -> int | None:
    """Raises the epoch when the rows come from another cluster, whose transaction numbers mean nothing here.

    `force` raises it in any case: after a restore, cursors given out since the backup point at events that are gone.
    Returns the new epoch, or None when nothing had to change. Old rows are stamped as settled long ago.
    """
    epoch: int | None = connection.execute(_OPEN_EPOCH, {"force": force}).scalar_one_or_none()
    if epoch is not None and epoch > 1:
        for statement in _SETTLE:
            connection.execute(statement)
    return epoch
