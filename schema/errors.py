"""Errors: the types behind `UserError`, and the one table that maps a domain error to its type or code."""

from __future__ import annotations

from typing import Any, Self

import strawberry
from strawberry import field

from domain import errors
from schema import enums
from schema.types.vehicles import Vehicle

MESSAGE = "For people."


@strawberry.interface(description="Something the caller can understand and mend. `__typename` is its code.")
class UserError:
    message: str = field(description=MESSAGE)
    path: list[str] | None = field(description="Names that lead to the field of the input at fault, if there is one.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        return cls(message=error.message, path=error.path)


@strawberry.type(description="One fault of the input.")
class InputIssue:
    message: str = field(description="What is wrong, the limit, and the way out.")
    path: list[str] = field(description="Names that lead to the field at fault, 10 at most.")


@strawberry.type(description="The input breaks one or more rules; all that were found are listed.")
class InvalidInputError(UserError):
    issues: list[InputIssue] = field(description="All faults found, 20 at most.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        issues = error.issues if isinstance(error, errors.InvalidInput) else []
        listed = [InputIssue(message=issue.message, path=issue.path.split(".")) for issue in issues[:20]]
        return cls(message=error.message, path=error.path, issues=listed)


@strawberry.type(description="Nothing of that id exists, or you may not see it.")
class NotFoundError(UserError):
    pass


@strawberry.type(description="Email or password is wrong.")
class InvalidCredentialsError(UserError):
    pass


@strawberry.type(description="The session is over: sign in again.")
class SessionEndedError(UserError):
    pass


@strawberry.type(description="The vehicle is not free at that time.")
class VehicleUnavailableError(UserError):
    alternatives: list[Vehicle] = field(
        description="Vehicles of the same type nearby that are free then; 3 at most, nearest first."
    )

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        found = error.alternatives if isinstance(error, errors.VehicleUnavailable) else []
        return cls(message=error.message, path=error.path, alternatives=[Vehicle.of(row) for row in found])


@strawberry.type(description="The reservation has started, ended or been cancelled already.")
class ReservationClosedError(UserError):
    pass


@strawberry.type(description="The key was used with other input: use a new key for a new act.")
class IdempotencyConflictError(UserError):
    pass


@strawberry.type(description="The proposal is too old: ask for a fresh one.")
class ProposalExpiredError(UserError):
    pass


@strawberry.type(description="The digest is not that of the proposal: show it again before deciding.")
class ProposalChangedError(UserError):
    pass


@strawberry.type(description="The proposal has been decided otherwise or replaced; nothing was done.")
class ProposalDecidedError(UserError):
    state: enums.ProposalState = field(description="What became of it.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        state = error.state if isinstance(error, errors.ProposalDecided) else enums.ProposalState.SUPERSEDED
        return cls(message=error.message, path=error.path, state=enums.ProposalState(state))


@strawberry.type(description="The agent has enough to answer already: wait for a turn to finish.")
class TurnInProgressError(UserError):
    pass


#: members of result unions
TYPES: dict[type[errors.DomainError], type[UserError]] = {
    errors.InvalidInput: InvalidInputError,
    errors.NotFound: NotFoundError,
    errors.InvalidCredentials: InvalidCredentialsError,
    errors.SessionEnded: SessionEndedError,
    errors.VehicleUnavailable: VehicleUnavailableError,
    errors.ReservationClosed: ReservationClosedError,
    errors.IdempotencyConflict: IdempotencyConflictError,
    errors.ProposalExpired: ProposalExpiredError,
    errors.ProposalChanged: ProposalChangedError,
    errors.ProposalDecided: ProposalDecidedError,
    errors.TurnInProgress: TurnInProgressError,
}

#: `extensions.code` of those that are never a member, and of members raised where there is no union (queries, streams)
CODES: dict[type[errors.DomainError], str] = {
    errors.InvalidInput: "BAD_USER_INPUT",
    errors.NotFound: "NOT_FOUND",
    errors.TooManyTries: "RATE_LIMITED",
    errors.OutOfReach: "UNAVAILABLE",
}


class _Handler(strawberry.ExceptionHandler):  # type: ignore[type-arg]
    def handle(self, exception: errors.DomainError, *, field: Any, info: Any) -> UserError | None:  # noqa: ARG002
        return TYPES[type(exception)].of(exception)


def handlers() -> list[strawberry.ExceptionHandler[Any, Any]]:
    """One per row of TYPES: turns the exception into the member of the field's union, where the union has it."""
    made: list[strawberry.ExceptionHandler[Any, Any]] = []
    for exception_type, error_type in TYPES.items():
        names = {"exception_type": exception_type, "error_type": error_type}
        made.append(type(f"{error_type.__name__}Handler", (_Handler,), names)())
    return made
