"""Results of what accounts do: the unions that both namespaces answer with."""

from __future__ import annotations

from typing import Annotated

import strawberry

from schema import errors
from schema.types.accounts import (
    ChangePasswordSuccess,
    EndSessionSuccess,
    RefreshSessionSuccess,
    RequestPasswordResetSuccess,
    ResetPasswordSuccess,
    SignInSuccess,
    SignOutEverywhereSuccess,
    SignOutSuccess,
)
from schema.types.second_factors import (
    ConfirmSecondFactorSuccess,
    DisableSecondFactorSuccess,
    EnrollSecondFactorSuccess,
    RenewRecoveryCodesSuccess,
)

SignInResult = Annotated[
    SignInSuccess
    | errors.InvalidCredentialsError
    | errors.SecondFactorRequiredError
    | errors.InvalidSecondFactorError
    | errors.InvalidInputError,
    strawberry.union("SignInResult", description="What signing in can answer."),
]
RefreshSessionResult = Annotated[
    RefreshSessionSuccess | errors.SessionEndedError,
    strawberry.union("RefreshSessionResult", description="What refreshing can answer."),
]
SignOutResult = Annotated[
    SignOutSuccess | errors.SessionEndedError,
    strawberry.union("SignOutResult", description="What signing out can answer."),
]
EndSessionResult = Annotated[
    EndSessionSuccess | errors.NotFoundError | errors.SessionEndedError | errors.InvalidInputError,
    strawberry.union("EndSessionResult", description="What ending a session can answer."),
]
SignOutEverywhereResult = Annotated[
    SignOutEverywhereSuccess | errors.SessionEndedError,
    strawberry.union("SignOutEverywhereResult", description="What signing out everywhere can answer."),
]
ChangePasswordResult = Annotated[
    ChangePasswordSuccess | errors.InvalidCredentialsError | errors.SessionEndedError | errors.InvalidInputError,
    strawberry.union("ChangePasswordResult", description="What changing the password can answer."),
]
RequestPasswordResetResult = Annotated[
    RequestPasswordResetSuccess | errors.InvalidInputError,
    strawberry.union("RequestPasswordResetResult", description="What asking for a link can answer."),
]
ResetPasswordResult = Annotated[
    ResetPasswordSuccess | errors.LinkExpiredError | errors.InvalidInputError,
    strawberry.union("ResetPasswordResult", description="What resetting the password can answer."),
]
EnrollSecondFactorResult = Annotated[
    EnrollSecondFactorSuccess
    | errors.InvalidCredentialsError
    | errors.SecondFactorInForceError
    | errors.SessionEndedError
    | errors.InvalidInputError,
    strawberry.union("EnrollSecondFactorResult", description="What enrolling a second factor can answer."),
]
ConfirmSecondFactorResult = Annotated[
    ConfirmSecondFactorSuccess
    | errors.InvalidSecondFactorError
    | errors.SecondFactorInForceError
    | errors.NotFoundError
    | errors.SessionEndedError
    | errors.InvalidInputError,
    strawberry.union("ConfirmSecondFactorResult", description="What confirming a second factor can answer."),
]
RenewRecoveryCodesResult = Annotated[
    RenewRecoveryCodesSuccess
    | errors.InvalidSecondFactorError
    | errors.NotFoundError
    | errors.SessionEndedError
    | errors.InvalidInputError,
    strawberry.union("RenewRecoveryCodesResult", description="What asking for recovery codes can answer."),
]
DisableSecondFactorResult = Annotated[
    DisableSecondFactorSuccess
    | errors.InvalidCredentialsError
    | errors.InvalidSecondFactorError
    | errors.NotFoundError
    | errors.SessionEndedError
    | errors.InvalidInputError,
    strawberry.union("DisableSecondFactorResult", description="What disabling a second factor can answer."),
]
