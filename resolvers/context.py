"""The context of a request: who asks, and what of this process it may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from domain import ciphers, errors, letters, metros, payments, ports, pricing, receipts, reservations, seals
from domain.actor import Actor
from domain.values import VehicleType
from resolvers import transactions
from resolvers.cursors import CursorCodec
from resolvers.demand import Notes
from resolvers.streams import Feed, Place


class TokenSigner(Protocol):
    def access_token(self, who: Actor) -> tuple[str, int]:
        """A signed token for the actor and the seconds it is good for."""


class MetroLoader(Protocol):
    def load(self, key: UUID) -> Awaitable[metros.Metro]: ...


class TariffLoader(Protocol):
    def load(self, key: UUID) -> Awaitable[Mapping[VehicleType, pricing.Tariff]]: ...


class ReservationLoader(Protocol):
    def load(self, key: UUID) -> Awaitable[reservations.Reservation | None]: ...


class ReceiptLoader(Protocol):
    def load(self, key: UUID) -> Awaitable[receipts.Receipt | None]: ...


class PaymentLoader(Protocol):
    """By the receipt that was to be paid."""

    def load(self, key: UUID) -> Awaitable[list[payments.Payment]]: ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """What a process has one of."""

    sessions: async_sessionmaker[AsyncSession]
    #: the same pool without transactions: one round trip per read
    readers: async_sessionmaker[AsyncSession]
    clock: ports.Clock
    hasher: ports.PasswordHasher
    payments: ports.PaymentGateway
    throttle: ports.Throttle
    #: of codes of second factors: six digits are few, so it is patient
    code_throttle: ports.Throttle
    tokens: TokenSigner
    identity_issuer: ports.IdentityIssuer
    refresh_token_days: int
    cursors: CursorCodec
    seals: seals.Seals
    licence_numbers: ciphers.Cipher
    photo_store: ports.PhotoStore
    second_factor_secrets: ciphers.Cipher
    feed: Feed
    metro_loader: Callable[[Runtime], MetroLoader]
    tariff_loader: Callable[[Runtime], TariffLoader]
    reservation_loader: Callable[[Ctx], ReservationLoader]
    receipt_loader: Callable[[Ctx], ReceiptLoader]
    payment_loader: Callable[[Ctx], PaymentLoader]
    #: where links lead to, without a slash at the end
    public_url: str
    #: archives that a rider may ask for in 24 hours
    exports_per_day: int
    #: into what is sent; the API shows them of simulated messages alone
    links: letters.Links
    #: False: the API tells nothing of what was sent by simulation
    shows_simulated: bool = False
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
    _tariffs: TariffLoader | None = None
    _reservations: ReservationLoader | None = None
    _receipts: ReceiptLoader | None = None
    _payments: PaymentLoader | None = None

    @property
    def metros(self) -> MetroLoader:
        if self._metros is None:
            self._metros = self.runtime.metro_loader(self.runtime)
        return self._metros

    @property
    def tariffs(self) -> TariffLoader:
        """Those in force, by metro."""
        if self._tariffs is None:
            self._tariffs = self.runtime.tariff_loader(self.runtime)
        return self._tariffs

    @property
    def reservations(self) -> ReservationLoader:
        """What the actor may see, read together; a later field reads anew, for a mutation may have come between."""
        if self._reservations is None:
            self._reservations = self.runtime.reservation_loader(self)
        return self._reservations

    @property
    def receipts(self) -> ReceiptLoader:
        """The same of receipts."""
        if self._receipts is None:
            self._receipts = self.runtime.receipt_loader(self)
        return self._receipts

    @property
    def payments(self) -> PaymentLoader:
        """The same of payments."""
        if self._payments is None:
            self._payments = self.runtime.payment_loader(self)
        return self._payments

    @property
    def who(self) -> Actor:
        """The actor; only for fields that need a role, which are refused before they run without one."""
        if self.actor is None:
            raise errors.NotFound
        return self.actor

    def fork(self) -> Ctx:
        """The same request with loaders that remember nothing, for the next operation on a socket."""
        return replace(self, _metros=None, _tariffs=None, _reservations=None, _receipts=None, _payments=None)

    def forget_loaded(self) -> None:
        """What was loaded for one event of a stream may have changed by the next."""
        self._metros = self._tariffs = None
