"""Connections: how many each account has in this process, whose they are, and how they are sent away."""

from __future__ import annotations

from collections import Counter
from typing import Protocol
from uuid import UUID

#: sockets told to go in one second, so that the other processes are not overrun by all of them at once
FAREWELLS_PER_SECOND = 5000
#: how long the last one waits at most
LONGEST_FAREWELL_SECONDS = 2.0


class TooManyConnections(Exception):
    """The account has as many as it may."""


class Connection(Protocol):
    def end_session(self) -> None:
        """The session that it was opened in is over."""


class Connections:
    def __init__(self, per_account: int) -> None:
        self.per_account = per_account
        self._of_account: Counter[UUID] = Counter()
        self._of_session: dict[UUID, set[Connection]] = {}
        self._farewells = 0

    def enter(self, account_id: UUID) -> None:
        """Raises TooManyConnections."""
        if self._of_account[account_id] >= self.per_account:
            raise TooManyConnections
        self._of_account[account_id] += 1

    def leave(self, account_id: UUID) -> None:
        self._of_account[account_id] -= 1
        if self._of_account[account_id] <= 0:
            del self._of_account[account_id]

    def join(self, session_id: UUID, connection: Connection) -> None:
        """It is told when the session ends, until it parts."""
        self._of_session.setdefault(session_id, set()).add(connection)

    def part(self, session_id: UUID, connection: Connection) -> None:
        joined = self._of_session.get(session_id, set())
        joined.discard(connection)
        if not joined:
            self._of_session.pop(session_id, None)

    def sessions(self) -> frozenset[UUID]:
        """Those that have something open here."""
        return frozenset(self._of_session)

    def end_session(self, session_id: UUID) -> None:
        for connection in tuple(self._of_session.get(session_id, ())):
            connection.end_session()

    def farewell_seconds(self) -> float:
        """How long the next one that is to go waits."""
        self._farewells += 1
        return min(self._farewells / FAREWELLS_PER_SECOND, LONGEST_FAREWELL_SECONDS)
