"""Transactions of requests, with a clear refusal when the database does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from domain import errors

_UNREACHABLE = (exc.TimeoutError, exc.OperationalError, OSError, TimeoutError)
#: admin_shutdown, crash_shutdown, cannot_connect_now, query_canceled (time limit), lock_not_available,
#: too_many_connections, idle_in_transaction_session_timeout, invalid_catalog_name (dropped or not created yet)
_PASSING_STATES = {"57P01", "57P02", "57P03", "57014", "55P03", "53300", "25P03", "3D000"}
#: class of SQLSTATEs: connection exceptions
_CONNECTION = "08"
_MESSAGE = "The database does not answer. Nothing was changed; try again."
#: deadlock_detected, serialization_failure
_COLLISIONS = {"40P01", "40001"}
_COLLIDED = "Others changed the same at the same time. Nothing was changed; try again."


@asynccontextmanager
async def transaction(sessions: async_sessionmaker[AsyncSession]) -> AsyncIterator[AsyncSession]:
    """One transaction: committed when the block ends, rolled back when it raises.

    Raises OutOfReach when the database does not answer, or let others go first; nothing is half-written then.
    """
    try:
        async with sessions.begin() as session:
            yield session
    except _UNREACHABLE as error:
        raise errors.OutOfReach(_MESSAGE) from error
    except exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) in _COLLISIONS:
            raise errors.OutOfReach(_COLLIDED) from error
        if error.connection_invalidated or _is_outage(error.orig):
            raise errors.OutOfReach(_MESSAGE) from error
        raise
    except (
        asyncpg.InterfaceError
    ) as error:  # as it is: where SQLAlchemy does not look, such as while it takes the connection back
        if isinstance(error, ValueError):
            raise
        raise errors.OutOfReach(_MESSAGE) from error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # A driver whose connection went away gave up: nobody asked this to end.
        raise errors.OutOfReach(_MESSAGE) from error


def _is_outage(error: BaseException | None) -> bool:
    state = getattr(error, "sqlstate", None)
    if state is None:
        # The driver's own: it says so of a connection that is gone, and of a value that no column takes.
        return not isinstance(getattr(error, "driver_exception", None), ValueError)
    return state in _PASSING_STATES or str(state).startswith(_CONNECTION)
