"""The context of a request: who asks, and what of this process it may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from domain import errors, metros, ports
from domain.actor import Actor
from resolvers import transactions
from resolvers.cursors import CursorCodec
from resolvers.demand import Notes
from resolvers.streams import Feed, Place


class TokenSigner(Protocol):
    def access_token(self, who: Actor) -> tuple[str, int]:
        """A signed token for the actor and the seconds it is good for."""


class MetroLoader(Protocol):
    def load(self, key: UUID) -> Awaitable[metros.Metro]: ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a process has one of."""

    sessions: async_sessionmaker[AsyncSession]
    #: the same pool without transactions: one round trip per read
    readers: async_sessionmaker[AsyncSession]
    clock: ports.Clock
    hasher: ports.PasswordHasher
    sign_in_throttle: ports.Throttle
    tokens: TokenSigner
    refresh_token_days: int
    cursors: CursorCodec
    feed: Feed
    metro_loader: Callable[[Runtime], MetroLoader]
    #: of searches without a result
    unmet_demand: Notes = field(default_factory=Notes)

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        """One transaction: committed when the block ends, rolled back when it raises. Raises OutOfReach."""
        return transactions.transaction(self.sessions)

    def reading(self) -> AbstractAsyncContextManager[AsyncSession]:
        """For reads, each with a snapshot of its own. Raises OutOfReach."""
        return transactions.transaction(self.readers)


@dataclass(slots=True)
class Ctx:
    runtime: Runtime
    actor: Actor | None
    #: address of the client, for throttles
    address: str
    request_id: str
    #: payload of `connection_init`, on a WebSocket
    connection_params: dict[str, object] | None = None
    #: header of the handshake, on a WebSocket
    authorization: str | None = None
    #: epoch second at which the actor's token expires, for what outlives a request
    expires_at: float | None = None
    #: where the subscription is, when a transport shares it with others
    place: Place | None = None
    _metros: MetroLoader | None = None

    @property
    def metros(self) -> MetroLoader:
        if self._metros is None:
            self._metros = self.runtime.metro_loader(self.runtime)
        return self._metros

    @property
    def who(self) -> Actor:
        """The actor; only for fields that need a role, which are refused before they run without one."""
        if self.actor is None:
            raise errors.NotFound
        return self.actor

    def fork(self) -> Ctx:
        """The same request with loaders that remember nothing, for the next operation on a socket."""
        return replace(self, _metros=None)

    def forget_loaded(self) -> None:
        """What was loaded for one event of a stream may have changed by the next."""
        self._metros = None
