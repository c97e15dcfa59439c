"""Every failure that the business expects. The docstring of a class is its default message.

    DomainError
    ├── InvalidInput           several faults of the input travel together
    ├── NotFound               also what you may not see
    ├── InvalidCredentials
    ├── SessionEnded
    ├── TooManyTries
    ├── VehicleUnavailable     carries alternatives
    ├── ReservationClosed
    ├── IdempotencyConflict
    ├── ProposalExpired
    ├── ProposalChanged
    ├── ProposalDecided
    ├── TurnInProgress
    └── OutOfReach             a system behind us does not answer

`schema/errors.py` maps each to the GraphQL type of the same name plus `Error`; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uuid import UUID


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


class SessionEnded(DomainError):
    """This session has ended. Sign in again."""


class TooManyTries(DomainError):
    """Too many tries. Wait before the next one."""

    def __init__(self, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"Too many tries. Try again in {retry_after_seconds} s.")


class VehicleUnavailable(DomainError):
    """The vehicle is not available at that time."""

    #: rows of `domain.search` near the vehicle that are free at that time, nearest first, three at most
    alternatives: Sequence[Any] = ()
    #: what was asked for, a `domain.quotes.Quote`, when it came that far
    quote: Any = None


class ReservationClosed(DomainError):
    """The reservation has already started, ended or been cancelled."""


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


class OutOfReach(DomainError):
    """A system behind this one does not answer. Nothing was changed; try again."""
