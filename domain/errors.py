"""Every failure that the business expects. The docstring of a class is its default message.

    DomainError
    ├── InvalidInput           several faults of the input travel together
    ├── NotFound               also what you may not see
    ├── InvalidCredentials
    ├── SecondFactorRequired
    ├── InvalidSecondFactor
    ├── SecondFactorInForce
    ├── SessionEnded
    ├── TooManyTries
    ├── LinkExpired
    ├── IdentityTokenRefused
    ├── IssuerNotConfigured
    ├── IdentityTaken
    ├── EmailNotVerified
    ├── RoleNotGranted
    ├── VehicleUnavailable     carries alternatives, or how long it is free
    ├── DrivingLicenceRequired
    ├── DrivingLicenceDecided
    ├── ReservationClosed
    ├── CancellationFee        carries the fee that has to be accepted
    ├── CoolDown               carries when it is over
    ├── TripOpen               one at a time
    ├── TripClosed
    ├── VehicleBusy            its lock is still answering
    ├── ReturnRefused          carries why, and the nearest legal place
    ├── PaymentMethodRequired
    ├── PaymentMethodDeclined
    ├── DebtOpen               carries what is owed
    ├── FineClosed
    ├── PromotionClosed
    ├── IdempotencyConflict
    ├── ProposalExpired
    ├── ProposalChanged
    ├── ProposalDecided
    ├── TurnInProgress
    ├── ExportInProgress
    ├── ExportLimitReached     carries when to ask again
    ├── ErasureBlocked         carries what is still open
    └── OutOfReach             a system behind us does not answer

`schema/errors.py` maps each to the GraphQL type of the same name plus `Error`; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.values import LatLng, Money


class DomainError(Exception):
    """Something the business does not allow."""

    def __init__(self, message: str | None = None, *, path: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.path = path.split(".") if path else None
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class Issue:
    path: str
    message: str


class InvalidInput(DomainError):
    """The input breaks a rule; see the issues."""

    def __init__(self, issues: list[Issue]) -> None:
        self.issues = issues
        super().__init__(issues[0].message if len(issues) == 1 else None, path=issues[0].path)

    @classmethod
    def of(cls, path: str, message: str) -> InvalidInput:
        return cls([Issue(path, message)])


class NotFound(DomainError):
    """There is nothing of that id that you may see."""


class InvalidCredentials(DomainError):
    """Email or password is wrong."""


class SecondFactorRequired(DomainError):
    """This account has a second factor. Sign in with a code of the app, or with a recovery code."""


class InvalidSecondFactor(DomainError):
    """This code is wrong, too old or used. Wait for the next one of the app, or use a recovery code."""


class SecondFactorInForce(DomainError):
    """You have a second factor already. Disable it before you enroll another."""


class SessionEnded(DomainError):
    """This session has ended. Sign in again."""


class TooManyTries(DomainError):
    """Too many tries. Wait before the next one."""

    def __init__(self, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"Too many tries. Try again in {retry_after_seconds} s.")


class LinkExpired(DomainError):
    """This link or code is not good, or not any more. Ask for a new one."""


class IdentityTokenRefused(DomainError):
    """The ID token is not good here. Sign in at the issuer again."""


class IssuerNotConfigured(DomainError):
    """There is no outside sign-in here. Sign in with email and password."""


class IdentityTaken(DomainError):
    """This identity signs in as somebody else already. Sign in with it instead, or link another one."""


class EmailNotVerified(DomainError):
    """The issuer does not vouch for an email address. Have it verified there and try again."""


class RoleNotGranted(DomainError):
    """The issuer gives you no role that is known here. Ask who runs it for one."""


class VehicleUnavailable(DomainError):
    """The vehicle is not available at that time."""

    #: rows of `domain.search` near the vehicle that are free at that time, nearest first, three at most
    alternatives: Sequence[Any] = ()
    #: what was asked for, a `domain.quotes.Quote`, when it came that far
    quote: Any = None
    #: the latest end that would have been free, where a later one was asked for
    free_until: datetime | None = None


class DrivingLicenceRequired(DomainError):
    """Cars and vans need a verified driving licence that is valid to the end of the booking."""

    def __init__(self, state: str, message: str | None = None) -> None:
        #: of the licence at the end of the booking
        self.state = state
        super().__init__(message)


class DrivingLicenceDecided(DomainError):
    """The licence has been decided or submitted anew in the meantime; nothing was done."""

    def __init__(self, state: str, message: str | None = None) -> None:
        self.state = state
        super().__init__(message)


class ReservationClosed(DomainError):
    """The reservation has already started, ended or been cancelled."""


class CancellationFee(DomainError):
    """Cancelling is not free. Accept exactly the fee, or keep the reservation."""

    def __init__(self, message: str, *, fee: Money, free_until: datetime | None) -> None:
        self.fee = fee
        self.free_until = free_until
        super().__init__(message, path="acceptedFee")


class CoolDown(DomainError):
    """Too many holds have lapsed unused. Wait before the next one."""

    def __init__(self, until: datetime, *, holds: int) -> None:
        self.until = until
        super().__init__(
            f"Your last {holds} holds lapsed unused. You can hold a scooter or bike again at {until:%Y-%m-%dT%H:%M:%SZ}.",
            path="vehicleId",
        )


class TripOpen(DomainError):
    """You are on a trip already. Return that vehicle first."""

    def __init__(self, trip_id: UUID) -> None:
        self.trip_id = trip_id
        super().__init__(path="vehicleId")


class TripClosed(DomainError):
    """The trip is over, or not at the point where this could be done."""


class VehicleBusy(DomainError):
    """The lock is still answering to what was asked before. Wait for the trip to change, then ask again."""


class ReturnRefused(DomainError):
    """The vehicle cannot be left as it stands."""

    def __init__(self, message: str, refusals: Sequence[Any], nearest: LatLng | None, station: Any, fine: Money | None) -> None:
        #: `tables.ReturnRefusal`, one at least
        self.refusals = refusals
        #: nearest place where it may be left, and the station there, if it is one
        self.nearest = nearest
        self.station = station
        #: leaving it here all the same costs this, if it is accepted exactly; None: it may not be left here at any price
        self.fine = fine
        super().__init__(message, path="position")


class PaymentMethodRequired(DomainError):
    """There is no card to charge. Add one first."""


class PaymentMethodDeclined(DomainError):
    """The card was refused. Add another one."""


class DebtOpen(DomainError):
    """Something is owed. Pay it, then ride on."""

    def __init__(self, owed: Money, receipt_ids: Sequence[UUID]) -> None:
        self.owed = owed
        self.receipt_ids = receipt_ids
        super().__init__()


class FineClosed(DomainError):
    """This fine cannot be appealed against, or not any more."""


class PromotionClosed(DomainError):
    """This code is not good, or not any more."""


class IdempotencyConflict(DomainError):
    """This idempotency key was used with other input. Use a new key for a new act."""


class ProposalExpired(DomainError):
    """The proposal has expired. Ask again for a fresh one."""


class ProposalChanged(DomainError):
    """The digest is not that of this proposal. Show the proposal again before deciding."""


class ProposalDecided(DomainError):
    """The proposal has already been decided or replaced."""

    def __init__(self, state: str, reservation_id: UUID | None = None) -> None:
        self.state = state
        self.reservation_id = reservation_id
        super().__init__(f"The proposal is already {state.lower()}; nothing was done this time.")


class TurnInProgress(DomainError):
    """The agent is still answering. Wait for the turn to finish."""


class ExportInProgress(DomainError):
    """Your last export is still being built. Wait for it."""


class ExportLimitReached(DomainError):
    """No more exports for now."""

    def __init__(self, per_day: int, retry_at: datetime) -> None:
        self.retry_at = retry_at
        super().__init__(f"You may ask for {per_day} exports in 24 hours. The latest one may still be downloaded.")


class ErasureBlocked(DomainError):
    """Something of this account is still open. Settle it, then erase."""

    def __init__(self, reasons: Sequence[Any]) -> None:
        #: `domain.erasure.Blocker`, one at least
        self.reasons = reasons
        super().__init__()


class OutOfReach(DomainError):
    """A system behind this one does not answer. Nothing was changed; try again."""
