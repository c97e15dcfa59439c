"""One writer of chat events per worker: what all its turns tell, in one transaction every few milliseconds."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from domain import turns

log = logging.getLogger(__name__)

TEXT = "text.delta"
MAX_PENDING = 10_000
_RETRY_SECONDS = 0.5


class ChatSink(Protocol):
    """Where a turn tells its events. Both raise turns.Superseded once another worker has the turn."""

    async def put(self, delta: turns.ChatDelta) -> None: ...

    async def flush(self) -> None:
        """Returns when everything put before is in the log."""


@dataclass(slots=True)
class _State:
    """One attempt of a turn, as the writer sees it."""

    attempt: int
    run: asyncio.Task[Any] | None = None
    put: int = 0
    written: int = 0
    #: another attempt has the turn
    lost: bool = False
    #: the database refuses what this turn says
    broken: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def gone(self) -> bool:
        return self.lost or self.broken

    def lose(self) -> None:
        self.lost = True
        self._end()

    def break_off(self) -> None:
        self.broken = True
        self._end()

    def _end(self) -> None:
        if self.run is not None:
            self.run.cancel()
        self.changed.set()


class Flusher:
    """Start `run` as a task, open a stream per turn, `close` at the end: what is pending is written first."""

    def __init__(
        self, session_factory: async_sessionmaker[AsyncSession], *, interval: float = 0.04, max_pending: int = MAX_PENDING
    ) -> None:
        self._session_factory = session_factory
        self._interval = interval
        self._max_pending = max_pending
        self._pending: list[turns.ChatDelta] = []
        self._states: dict[UUID, _State] = {}
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._closing = False

    def open(self, turn: turns.ClaimedTurn) -> TurnStream:
        """A sink for this attempt. An earlier attempt in this process ends here: its job was believed dead."""
        if older := self._states.get(turn.turn_id):
            older.lose()
        state = _State(turn.attempt)
        self._states[turn.turn_id] = state
        return TurnStream(self, turn.turn_id, state)

    def forget(self, turn_id: UUID, state: _State) -> None:
        if self._states.get(turn_id) is state:
            del self._states[turn_id]

    async def run(self) -> None:
        while not (self._closing and not self._pending):
            await self._wake.wait()
            self._wake.clear()
            if self._pending:
                await self._write()
            if not self._closing:
                await asyncio.sleep(self._interval)

    async def close(self) -> None:
        """Lets `run` end once everything is written."""
        self._closing = True
        self._wake.set()

    async def put(self, delta: turns.ChatDelta, state: _State) -> None:
        while len(self._pending) >= self._max_pending and not state.gone:
            self._room.clear()
            await self._room.wait()
        self._pending.append(_clean(delta))
        state.put += 1
        self._wake.set()

    async def _write(self) -> None:
        batch, self._pending = self._pending, []
        held = await self._append(coalesce(batch))
        if held is None:
            self._pending = batch + self._pending
            self._wake.set()
            await asyncio.sleep(_RETRY_SECONDS)
            return
        self._room.set()
        for (turn_id, attempt), count in Counter((delta.turn_id, delta.attempt) for delta in batch).items():
            state = self._states.get(turn_id)
            if state is None or state.attempt != attempt:
                continue
            state.written += count
            state.changed.set()
            if turn_id not in held and not state.gone:
                state.lose()

    async def _append(self, deltas: Sequence[turns.ChatDelta]) -> set[UUID] | None:
        """The turns that still hold; None when the database is away and the batch must wait."""
        try:
            async with self._session_factory.begin() as session:
                return await turns.append_chat_events(session, deltas)
        except Exception as error:
            if _may_pass(error):
                log.warning("chat events wait: the database does not answer", exc_info=error)
                return None
            turn_ids = {delta.turn_id for delta in deltas}
            if len(turn_ids) == 1:
                log.exception("events of turn %s cannot be written", deltas[0].turn_id)
                if state := self._states.get(deltas[0].turn_id):
                    state.break_off()
                return set()
        held: set[UUID] = set()
        for turn_id in turn_ids:
            held |= await self._append([delta for delta in deltas if delta.turn_id == turn_id]) or set()
        return held


class Unwritable(Exception):
    """The database refuses the events of this turn; others go on."""


class TurnStream:
    """The sink of one attempt of a turn."""

    def __init__(self, flusher: Flusher, turn_id: UUID, state: _State) -> None:
        self._flusher = flusher
        self._turn_id = turn_id
        self._state = state

    @property
    def is_broken(self) -> bool:
        return self._state.broken

    def cancel_when_lost(self, run: asyncio.Task[Any]) -> None:
        self._state.run = run
        if self._state.gone:
            run.cancel()

    async def put(self, delta: turns.ChatDelta) -> None:
        self.refuse_when_lost()
        await self._flusher.put(delta, self._state)

    async def flush(self) -> None:
        mark = self._state.put
        while self._state.written < mark and not self._state.gone:
            self._state.changed.clear()
            await self._state.changed.wait()
        self.refuse_when_lost()

    def close(self) -> None:
        self._flusher.forget(self._turn_id, self._state)

    def refuse_when_lost(self) -> None:
        if self._state.lost:
            raise turns.Superseded
        if self._state.broken:
            raise Unwritable


def coalesce(deltas: Sequence[turns.ChatDelta]) -> list[turns.ChatDelta]:
    """Joins texts of a turn that nothing else of that turn comes between. The order within each turn is kept."""
    joined: list[turns.ChatDelta] = []
    last: dict[tuple[UUID, int], int] = {}
    texts: dict[int, list[str]] = {}
    for delta in deltas:
        key = (delta.turn_id, delta.attempt)
        at = last.get(key)
        if delta.kind == TEXT and at is not None and joined[at].kind == TEXT:
            texts[at].append(delta.payload["text"])
            continue
        last[key] = len(joined)
        if delta.kind == TEXT:
            texts[len(joined)] = [delta.payload["text"]]
        joined.append(delta)
    for at, pieces in texts.items():
        joined[at] = replace(joined[at], payload={**joined[at].payload, "text": "".join(pieces)})
    return joined


def storable(value: Any) -> Any:
    """JSON that PostgreSQL takes: no NUL characters, no half of a surrogate pair. A model may emit both."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable(each) for each in value]
    return value


def _clean(delta: turns.ChatDelta) -> turns.ChatDelta:
    return replace(delta, payload=storable(delta.payload))


def _may_pass(error: Exception) -> bool:
    """Trouble of the connection or the server, which ends by itself; not a fault of what is being written."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, OSError | PoolTimeout)
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state[:2] in ("08", "40", "53", "57", "58")
