"""Results of signing in and out: the unions that both namespaces answer with."""

from __future__ import annotations

from typing import Annotated

import strawberry

from schema import errors
from schema.types.accounts import RefreshSessionSuccess, SignInSuccess, SignOutSuccess

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
