"""Sessions: the look for those that ended elsewhere while they have sockets or event streams open here."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from uuid import UUID

from app.connections import Connections
from domain import sessions
from resolvers.context import Runtime

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0


class SessionWatch:
    """One query a look, for all that is open in this process; none while nothing is."""

    def __init__(self, connections: Connections, runtime: Runtime) -> None:
        self._connections = connections
        self._runtime = runtime
        #: when the last look that succeeded began, and whose sessions it has looked at
        self._since: datetime | None = None
        self._known: frozenset[UUID] = frozenset()
        self._fails = False

    async def run(self) -> None:
        """Until cancelled. While the database is away nothing is ended; afterwards, what ended meanwhile."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
                self._fails = False
            except Exception as error:
                if not self._fails:
                    logger.warning("cannot look for ended sessions", extra={"error": repr(error)})
                self._fails = True

    async def look(self) -> None:
        opened = self._connections.sessions()
        now = self._runtime.clock.now()
        ended: set[UUID] = set()
        if opened:
            # Who comes with a token of a session that ended long ago is looked up by its id, once.
            among = opened - self._known
            async with self._runtime.reading() as session:
                ended = await sessions.find_ended_sessions(session, since=self._since or now, among=among)
            for session_id in ended & opened:
                self._connections.end_session(session_id)
        # Who comes back with the token of an ended session is looked up again.
        self._since, self._known = now, opened - ended
