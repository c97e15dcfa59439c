"""What the rules need from outside, as Protocols. Implemented in `app/gateways/`, handed in from above."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from domain.actor import Audience
from domain.channels import Channel
from domain.values import LatLng, LegMode


class Clock(Protocol):
    def now(self) -> datetime:
        """The current instant, aware, in UTC."""


@dataclass(frozen=True, slots=True)
class Route:
    mode: LegMode
    distance_meters: int
    duration_seconds: int
    #: True when no street network answered: great circle times a detour factor, at a typical speed
    estimated: bool
    #: polyline of the way, start to end; empty when estimated
    geometry: tuple[LatLng, ...] = ()
    #: turn-by-turn instructions in the language asked for; empty when estimated
    instructions: tuple[str, ...] = ()


class GeoRouter(Protocol):
    async def route(self, map_digest: str, mode: LegMode, start: LatLng, end: LatLng, *, language: str = "en") -> Route | None:
        """The fastest way on the map of that digest, or None where the street network does not connect the two points."""


class Doorbell(Protocol):
    """Tells every process that a topic of the event log has grown. A hint: it may be lost, doubled or early."""

    async def ring(self, topics: Sequence[str]) -> None: ...

    def rings(self) -> AsyncIterator[str]:
        """Topics that have grown. An empty string asks to look at every topic (after a reconnect)."""


@dataclass(frozen=True, slots=True)
class LicenceClaim:
    """What a rider says of a driving licence."""

    country_code: str
    #: capital letters and digits alone
    number: str
    expires_on: date
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LicenceVerdict:
    is_accepted: bool
    #: for the rider, of a refusal
    reason: str | None = None


class LicenceCheck(Protocol):
    async def check(self, claim: LicenceClaim) -> LicenceVerdict | None:
        """What the authority says; None when it will say so later: ask again. Raises OutOfReach."""


class PasswordHasher(Protocol):
    async def hash(self, password: str) -> str: ...

    async def verify(self, password: str, hashed: str | None) -> bool:
        """False for a wrong password and, after the same work, for an account without one."""


class Throttle(Protocol):
    async def hit(self, *keys: str) -> int:
        """Counts one try on every key; the seconds to wait if any of them is over its limit, else 0."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an outside issuer says that somebody is. Only `issuer` and `subject` together name the person for good."""

    issuer: str
    subject: str
    email: str | None = None
    #: whether the issuer has seen that the address is theirs
    is_email_verified: bool = False
    name: str | None = None
    #: BCP 47 tag
    language: str | None = None
    #: as the issuer spells them
    roles: tuple[str, ...] = ()
    #: slugs; None when the issuer says nothing about metros
    metros: tuple[str, ...] | None = None


class IdentityIssuer(Protocol):
    async def identify(self, audience: Audience, id_token: str, *, nonce: str | None) -> Identity:
        """Raises IdentityTokenRefused, IssuerNotConfigured, and OutOfReach when the issuer does not answer."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a rider is told on one channel. It may hold a link that opens something: it is never stored or logged."""

    #: of the delivery: a second try is the same message, and bears the same id
    id: UUID
    channel: Channel
    #: an address, a phone number or the token of a device
    to: str
    subject: str
    text: str
    language: str
    at: datetime
    html: str | None = None
    link: str | None = None
    #: address that takes the one-click answer of RFC 8058; None: the mail is not optional
    unsubscribe: str | None = None


class NotDelivered(Exception):
    """The message did not get through, or nobody knows whether it did."""

    def __init__(self, reason: str, *, is_permanent: bool = False) -> None:
        #: what is written down: never an address
        self.reason = reason
        #: True: another try would be refused alike
        self.is_permanent = is_permanent
        super().__init__(reason)


class Notifier(Protocol):
    #: True: nothing leaves, so that the API may show what would have been sent
    is_simulated: bool

    async def send(self, message: Message) -> None:
        """Raises NotDelivered. Ends within seconds, whatever the other side does."""


@dataclass(frozen=True, slots=True)
class LockOrder:
    """What is said to the lock of a vehicle. Said twice it is the same order, and the lock answers alike."""

    command_id: UUID
    vehicle_id: UUID
    #: `lock` or `unlock`
    action: str
    #: whoever hears it later does not do it
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LockAnswer:
    command_id: UUID
    vehicle_id: UUID
    is_done: bool
    #: the lock's word, when it is not
    failure: str | None = None
    #: what the vehicle knows of itself; None: nothing
    position: LatLng | None = None
    battery_percent: int | None = None
    odometer_meters: int | None = None
    is_plugged_in: bool | None = None


@dataclass(frozen=True, slots=True)
class VehicleStatus:
    """What a vehicle tells of itself without being asked; None: it says nothing about that."""

    vehicle_id: UUID
    #: by the vehicle's clock
    at: datetime
    position: LatLng | None = None
    accuracy_meters: float = 10.0
    battery_percent: int | None = None
    odometer_meters: int | None = None
    is_plugged_in: bool | None = None


class LockGateway(Protocol):
    async def send(self, order: LockOrder) -> None:
        """Hands the order over; it may be lost all the same. Raises OutOfReach. Ends within seconds."""

    def answers(self) -> AsyncGenerator[LockAnswer, None]:
        """What locks say, as it comes: late, twice, or never. Ends only when it is closed. Who asks for the next answer has
        recorded the one before: it need not be said again."""

    def statuses(self) -> AsyncGenerator[VehicleStatus, None]:
        """What vehicles tell of themselves, as it comes: late, out of order, twice. Ends only when it is closed."""


class PhotoStore(Protocol):
    """Each call ends within seconds, whatever the other side does."""

    async def put(self, key: str, content: bytes) -> None:
        """Overwrites nothing: of a key that is there the content stays. Raises OutOfReach."""

    async def get(self, key: str) -> bytes:
        """Raises NotFound, OutOfReach."""

    async def delete(self, key: str) -> None:
        """Also of what is not there. Raises OutOfReach."""

    async def delete_folder(self, folder: str) -> None:
        """All keys that begin with it and a slash. Raises OutOfReach."""


@dataclass(frozen=True, slots=True)
class Card:
    gateway_ref: str
    brand: str
    last4: str
    expires_month: int
    expires_year: int


class IntentState(StrEnum):
    #: nobody knows yet: ask again
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Intent:
    """What became of a payment at the gateway."""

    gateway_ref: str
    state: IntentState
    captured_minor: int = 0
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class IntentOrder:
    payment_id: UUID
    customer_ref: str
    card_ref: str
    amount_minor: int
    currency: str
    #: False: the money is taken at once
    holds: bool


@dataclass(frozen=True, slots=True)
class GatewayNote:
    """What the gateway tells by itself, with a signature; `kind` such as `charge.dispute.created`, status in its words."""

    id: str
    kind: str
    payment_ref: str
    #: of a refund or dispute, if it is about one
    object_ref: str | None = None
    amount_minor: int | None = None
    reason: str | None = None
    status: str | None = None


class PaymentGateway(Protocol):
    """What takes a `key` does the same thing once for the same key, for a day. All raise OutOfReach, after which nobody knows
    what happened: ask again with the same key. Each ends within seconds."""

    async def add_customer(self, customer_id: UUID, *, key: str) -> str: ...
    async def forget_customer(self, customer_ref: str) -> None: ...

    async def prepare_card(self, customer_ref: str, *, key: str) -> str:
        """A secret to open the gateway's form with, in which the bank confirms that a card may be charged later."""

    async def add_card(self, customer_ref: str, token: str, *, key: str) -> Card:
        """`token`: what the gateway's form in the front end returned. Raises PaymentMethodDeclined, InvalidInput."""

    async def remove_card(self, card_ref: str) -> None: ...

    async def pay(self, order: IntentOrder, *, key: str) -> Intent: ...

    async def capture(self, gateway_ref: str, amount_minor: int, *, key: str) -> Intent: ...
    async def cancel(self, gateway_ref: str, *, key: str) -> Intent: ...

    async def refund(self, gateway_ref: str, amount_minor: int, *, key: str) -> str:
        """The refund's name at the gateway. Raises PaymentMethodDeclined: never, however often it is asked."""

    async def look_up(self, gateway_ref: str) -> Intent: ...

    async def find(self, order: IntentOrder) -> Intent | None:
        """What became of an order of which no answer came; None when there is nothing of it."""

    async def find_refund(self, gateway_ref: str, *, key: str) -> str | None:
        """The name of a refund of which no answer came, by the key that it was asked for with; None: there is none."""

    def open_note(self, body: bytes, signature: str) -> GatewayNote:
        """Raises InvalidCredentials: forged, or older than five minutes."""

    async def close(self) -> None: ...
