"""Results of what accounts do: the unions that both namespaces answer with."""

from __future__ import annotations

from typing import Annotated

import strawberry

from schema import errors
from schema.types.accounts import (
    ChangePasswordSuccess,
    EndSessionSuccess,
    RefreshSessionSuccess,
    SignInSuccess,
    SignOutEverywhereSuccess,
    SignOutSuccess,
)

SignInResult = Annotated[
    SignInSuccess | errors.InvalidCredentialsError | errors.InvalidInputError,
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
