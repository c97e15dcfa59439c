"""Errors: the types behind `UserError`, and the one table that maps a domain error to its type or code."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self, cast

import strawberry
from strawberry import field

from domain import errors
from schema import enums, trip_errors
from schema.types.money import Money
from schema.types.privacy import ErasureBlocker
from schema.types.vehicles import Vehicle
from schema.user_error import UserError


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


@strawberry.type(
    description="The account has a second factor: sign in with the password and a code, then do what the message says."
)
class SecondFactorRequiredError(UserError):
    pass


@strawberry.type(description="The code is wrong, too old or used: wait for the next one, or use a recovery code.")
class InvalidSecondFactorError(UserError):
    pass


@strawberry.type(description="There is a second factor already: disable it before enrolling another.")
class SecondFactorInForceError(UserError):
    pass


@strawberry.type(description="The session is over: sign in again.")
class SessionEndedError(UserError):
    pass


@strawberry.type(description="The link or code is not good, or not any more: ask for a new one.")
class LinkExpiredError(UserError):
    pass


@strawberry.type(description="The ID token is not good here: the message says why. Mostly, sign in at the issuer again.")
class IdentityTokenRefusedError(UserError):
    pass


@strawberry.type(description="This deployment takes no ID tokens here: sign in with email and password.")
class IssuerNotConfiguredError(UserError):
    pass


@strawberry.type(description="The identity signs in as another account.")
class IdentityTakenError(UserError):
    pass


@strawberry.type(
    description="A first sign-in needs an email address that the issuer vouches for, whether there is an account of it or not."
)
class EmailNotVerifiedError(UserError):
    pass


@strawberry.type(description="The issuer names no role that is known here.")
class RoleNotGrantedError(UserError):
    pass


@strawberry.type(description="The vehicle is not free at that time.")
class VehicleUnavailableError(UserError):
    alternatives: list[Vehicle] = field(
        description="Vehicles of the same type nearby that are free then; 3 at most, nearest first."
    )
    free_until: datetime | None = field(
        description="Of an extension: the latest end that would have been free; the present one when nothing is. Null otherwise."
    )

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        found = error.alternatives if isinstance(error, errors.VehicleUnavailable) else []
        free_until = error.free_until if isinstance(error, errors.VehicleUnavailable) else None
        alternatives = [Vehicle.of(row) for row in found]
        return cls(message=error.message, path=error.path, alternatives=alternatives, free_until=free_until)


@strawberry.type(description="Cars and vans need a verified driving licence that is valid until the booking ends.")
class DrivingLicenceRequiredError(UserError):
    state: enums.LicenceState = field(description="What the rider's licence is at the end of the booking.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        state = error.state if isinstance(error, errors.DrivingLicenceRequired) else enums.LicenceState.NOT_SUBMITTED
        return cls(message=error.message, path=error.path, state=enums.LicenceState(state))


@strawberry.type(description="The licence has been decided or submitted anew in the meantime; nothing was done.")
class DrivingLicenceDecidedError(UserError):
    state: enums.LicenceState = field(description="What it is now.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        state = error.state if isinstance(error, errors.DrivingLicenceDecided) else enums.LicenceState.PENDING
        return cls(message=error.message, path=error.path, state=enums.LicenceState(state))


@strawberry.type(description="The reservation has started, ended or been cancelled already.")
class ReservationClosedError(UserError):
    pass


@strawberry.type(description="A fee applies that was not accepted, or another than was accepted. Nothing was cancelled.")
class CancellationFeeError(UserError):
    fee: Money | None = field(
        description="What cancelling costs now, 0 when it is free: show it, then pass exactly it as `acceptedFee`."
    )
    free_until: datetime | None = field(description="Until when it was or is free; null when there is no limit.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        if not isinstance(error, errors.CancellationFee):
            return cls(message=error.message, path=error.path, fee=None, free_until=None)
        return cls(message=error.message, path=error.path, fee=Money.of(error.fee), free_until=error.free_until)


@strawberry.type(description="The rider's last holds lapsed unused: no scooter or bike for a while.")
class CoolDownError(UserError):
    until: datetime | None = field(description="When the rider may hold again.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        return cls(message=error.message, path=error.path, until=getattr(error, "until", None))


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


@strawberry.type(description="The last archive is still being built: wait for it.")
class ExportInProgressError(UserError):
    pass


@strawberry.type(description="There were as many archives as there may be in a day.")
class ExportLimitReachedError(UserError):
    retry_at: datetime = field(description="When the next one may be asked for.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        retry_at = cast(errors.ExportLimitReached, error).retry_at
        return cls(message=error.message, path=error.path, retry_at=retry_at)


@strawberry.type(description="Something of the account is still open: close it, then erase.")
class ErasureBlockedError(UserError):
    reasons: list[ErasureBlocker] = field(description="All that is open, 100 at most.")

    @classmethod
    def of(cls, error: errors.DomainError) -> Self:
        found = error.reasons if isinstance(error, errors.ErasureBlocked) else []
        return cls(message=error.message, path=error.path, reasons=[ErasureBlocker.of(one) for one in found[:100]])


#: members of result unions
TYPES: dict[type[errors.DomainError], type[UserError]] = {
    errors.InvalidInput: InvalidInputError,
    errors.NotFound: NotFoundError,
    errors.InvalidCredentials: InvalidCredentialsError,
    errors.SecondFactorRequired: SecondFactorRequiredError,
    errors.InvalidSecondFactor: InvalidSecondFactorError,
    errors.SecondFactorInForce: SecondFactorInForceError,
    errors.SessionEnded: SessionEndedError,
    errors.LinkExpired: LinkExpiredError,
    errors.IdentityTokenRefused: IdentityTokenRefusedError,
    errors.IssuerNotConfigured: IssuerNotConfiguredError,
    errors.IdentityTaken: IdentityTakenError,
    errors.EmailNotVerified: EmailNotVerifiedError,
    errors.RoleNotGranted: RoleNotGrantedError,
    errors.VehicleUnavailable: VehicleUnavailableError,
    errors.DrivingLicenceRequired: DrivingLicenceRequiredError,
    errors.DrivingLicenceDecided: DrivingLicenceDecidedError,
    errors.ReservationClosed: ReservationClosedError,
    errors.CancellationFee: CancellationFeeError,
    errors.CoolDown: CoolDownError,
    errors.TripOpen: trip_errors.TripOpenError,
    errors.TripClosed: trip_errors.TripClosedError,
    errors.VehicleBusy: trip_errors.VehicleBusyError,
    errors.ReturnRefused: trip_errors.ReturnRefusedError,
    errors.PaymentMethodRequired: trip_errors.PaymentMethodRequiredError,
    errors.PaymentMethodDeclined: trip_errors.PaymentMethodDeclinedError,
    errors.DebtOpen: trip_errors.DebtOpenError,
    errors.FineClosed: trip_errors.FineClosedError,
    errors.PromotionClosed: trip_errors.PromotionClosedError,
    errors.IdempotencyConflict: IdempotencyConflictError,
    errors.ProposalExpired: ProposalExpiredError,
    errors.ProposalChanged: ProposalChangedError,
    errors.ProposalDecided: ProposalDecidedError,
    errors.TurnInProgress: TurnInProgressError,
    errors.ExportInProgress: ExportInProgressError,
    errors.ExportLimitReached: ExportLimitReachedError,
    errors.ErasureBlocked: ErasureBlockedError,
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
