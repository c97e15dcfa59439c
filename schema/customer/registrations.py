"""Becoming a rider: registering, and verifying the address."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from resolvers import registrations
from schema import access, errors
from schema.types.accounts import SignInSuccess


@strawberry.input(description="Who wants to become a rider.")
class RegisterInput:
    email: str = field(
        description="Of your own: a link is sent there. 254 ASCII characters at most; upper and lower case are the same."
    )
    password: str = field(description="To sign in with; 8 to 1,024 characters.")
    name: str = field(description="What to call you; 1 to 100 characters in one line.")
    language: str = field(description="BCP 47 tag of the language to write to you in: `en`, `de`, `fr`, `it` or `es`.")
    has_accepted_terms: bool = field(description="Whether you have accepted terms and privacy notice; nobody rides without.")
    document_version: str = field(
        description="Of the terms and the privacy notice that you were shown; 1 to 40 characters. Kept as the account's consent."
    )


@strawberry.input(description="The link in the mail, and the password of the registration that it is about.")
class VerifyEmailInput:
    token: str = field(description="What the link ends with.")
    password: str = field(
        description="As chosen when registering: so nobody opens an account of which a stranger chose the password."
    )


@strawberry.type(
    description="A mail is on its way. The answer is the same when the address has an account: then the mail says so, and the"
    " account stays as it is."
)
class RegisterSuccess:
    expires_at: datetime = field(
        description="Until when the link in the mail is good: 24 hours. Registering again sends a new one and ends those before."
    )


@strawberry.type(description="The address is yours, the account is made, and you are signed in.")
class VerifyEmailSuccess(SignInSuccess):
    pass


RegisterResult = Annotated[
    RegisterSuccess | errors.InvalidInputError,
    strawberry.union("RegisterResult", description="What registering can answer."),
]
VerifyEmailResult = Annotated[
    VerifyEmailSuccess | errors.LinkExpiredError | errors.InvalidCredentialsError,
    strawberry.union("VerifyEmailResult", description="What verifying an address can answer."),
]


@strawberry.type
class RegistrationMutations:
    @access.mutation(access.PUBLIC, "Ask for an account as a rider; as many tries a minute as at signing in.")
    async def register(self, info: strawberry.Info, input: Annotated[RegisterInput, access.INPUT]) -> RegisterResult | None:
        expires_at = await registrations.register(
            info.context,
            email=input.email,
            password=input.password,
            name=input.name,
            language=input.language,
            has_accepted_terms=input.has_accepted_terms,
            document_version=input.document_version,
        )
        return RegisterSuccess(expires_at=expires_at)

    @access.mutation(
        access.PUBLIC,
        "Show that the address is yours: makes the account and signs you in. A link works once; who missed the answer signs in.",
    )
    async def verify_email(
        self, info: strawberry.Info, input: Annotated[VerifyEmailInput, access.INPUT]
    ) -> VerifyEmailResult | None:
        return VerifyEmailSuccess.of(await registrations.verify_email(info.context, token=input.token, password=input.password))
