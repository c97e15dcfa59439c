"""Broadcast: writes one event to many sockets, a frame for each operation id, without a task or a queue per socket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from domain import eventlog

Write = Callable[[bytes], object]
#: sockets in a row, before everybody else's turn: some 3 ms
SOCKETS_PER_TURN = 500


def opening(operation_id: str) -> bytes:
    """What stands before the payload in every `next` of an operation."""
    return b'{"id":' + orjson.dumps(operation_id) + b',"type":"next","payload":'


def frame(text: bytes) -> bytes:
    """A whole, unmasked, uncompressed text frame (RFC 6455, section 5.2)."""
    size = len(text)
    if size < 126:
        return b"\x81" + size.to_bytes(1) + text
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2) + text
    return b"\x81\x7f" + size.to_bytes(8) + text


@dataclass(frozen=True, slots=True)
class Item:
    """One event on its way."""

    #: of the event before, where who has not had this one goes on from
    before: eventlog.Position | None
    position: eventlog.Position | None
    payload: bytes


class Seat:
    """The place of one socket's operation in the broadcast."""

    __slots__ = ("_broadcast", "_opening", "member", "round", "write")

    def __init__(self, broadcast: Broadcast, member: Any, opening: bytes, write: Write, round: int) -> None:
        self.member = member
        self.write = write
        #: the last one that it needs nothing of any more
        self.round = round
        self._broadcast = broadcast
        self._opening = opening

    def leave(self) -> list[Item]:
        """Nothing more is written; what it was not given yet. Again it does nothing."""
        return self._broadcast._discard(self, self._opening)


@dataclass(slots=True)
class Round:
    """Some events for all who were there when they came."""

    number: int
    items: list[Item]
    seats: list[tuple[bytes, list[Seat]]]


class Broadcast:
    """The sockets of one stream that keep up. Who does not is taken out by its protocol, see `protocol`.

    A round goes through all sockets in turns, so that one event for thousands does not hold up the process; what comes
    in the meantime, or within the window, is the next round: one write per socket, each event a message of its own.
    """

    def __init__(self, window_seconds: float) -> None:
        self._window = window_seconds
        self._groups: dict[bytes, dict[Seat, None]] = {}
        self._flat: list[tuple[bytes, list[Seat]]] | None = []
        self._waiting: list[Item] = []
        self._rounds: deque[Round] = deque()
        self._number = 0
        #: what is left of the first round
        self._steps: Iterator[None] | None = None
        self._timer: asyncio.Handle | None = None

    def __bool__(self) -> bool:
        return bool(self._groups)

    def members(self) -> list[Any]:
        return [seat.member for group in self._groups.values() for seat in group]

    def add(self, member: Any, opening: bytes, write: Write) -> Seat:
        """It gets what is sent from now on."""
        self._close_round()
        seat = Seat(self, member, opening, write, self._number)
        self._groups.setdefault(opening, {})[seat] = None
        self._flat = None
        return seat

    def send(self, item: Item) -> None:
        self._waiting.append(item)
        if self._timer is not None:
            return
        if self._window:
            self._timer = asyncio.get_running_loop().call_later(self._window, self._turn)
        else:
            self._turn()

    def flush(self) -> None:
        """Writes all that waits, now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._step():
            pass

    def _turn(self) -> None:
        self._timer = None
        if self._step():
            self._timer = asyncio.get_running_loop().call_soon(self._turn)

    def _step(self) -> bool:
        """A turn's worth of writing; whether there is more to write."""
        if self._steps is None:
            self._close_round()
            if not self._rounds:
                return False
            self._steps = self._writing(self._rounds[0])
        for _ in self._steps:
            return True
        self._steps = None
        self._rounds.popleft()
        return bool(self._rounds or self._waiting)

    def _close_round(self) -> None:
        """What waits is for those who are there now, and for nobody who comes later."""
        if not self._waiting:
            return
        if self._flat is None:
            self._flat = [(opening, list(group)) for opening, group in self._groups.items()]
        self._number += 1
        self._rounds.append(Round(self._number, self._waiting, self._flat))
        self._waiting = []

    @staticmethod
    def _writing(round: Round) -> Iterator[None]:
        number, left = round.number, SOCKETS_PER_TURN
        first, *others = [item.payload + b"}" for item in round.items]
        for opening, seats in round.seats:
            frames = frame(opening + first)
            if others:
                frames += b"".join([frame(opening + text) for text in others])
            for seat in seats:
                seat.round = number
                seat.write(frames)
                left -= 1
                if not left:
                    yield
                    left = SOCKETS_PER_TURN

    def _discard(self, seat: Seat, opening: bytes) -> list[Item]:
        group = self._groups.get(opening)
        if group is None or seat not in group:
            return []
        del group[seat]
        if not group:
            del self._groups[opening]
        self._flat = None
        seat.write = _nowhere
        owed = [item for late in self._rounds if late.number > seat.round for item in late.items]
        return owed + self._waiting


def _nowhere(_: bytes) -> None:
    """Where a seat that was left writes to."""
