"""Signing in with an outside issuer as a rider, and the identities that are linked to the account."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain.actor import Audience
from resolvers import identities
from schema import access, errors
from schema.types.identities import (
    LinkedIdentity,
    LinkIdentityInput,
    LinkIdentitySuccess,
    SignInWithIdentityTokenInput,
    SignInWithIdentityTokenSuccess,
    UnlinkIdentityInput,
    UnlinkIdentitySuccess,
)

SignInWithIdentityTokenResult = Annotated[
    SignInWithIdentityTokenSuccess
    | errors.IdentityTokenRefusedError
    | errors.EmailNotVerifiedError
    | errors.SecondFactorRequiredError
    | errors.IssuerNotConfiguredError
    | errors.InvalidInputError,
    strawberry.union("SignInWithIdentityTokenResult", description="What signing in with an ID token can answer."),
]
LinkIdentityResult = Annotated[
    LinkIdentitySuccess
    | errors.IdentityTokenRefusedError
    | errors.IdentityTakenError
    | errors.InvalidCredentialsError
    | errors.SecondFactorRequiredError
    | errors.InvalidSecondFactorError
    | errors.IssuerNotConfiguredError
    | errors.InvalidInputError,
    strawberry.union("LinkIdentityResult", description="What linking an identity can answer."),
]
UnlinkIdentityResult = Annotated[
    UnlinkIdentitySuccess | errors.NotFoundError | errors.InvalidInputError,
    strawberry.union("UnlinkIdentityResult", description="What unlinking an identity can answer."),
]


@strawberry.type
class IdentityQueries:
    @access.query(access.RIDERS, "Outside identities that sign in as you, the latest first; 100 at most.")
    async def identities(self, info: strawberry.Info) -> list[LinkedIdentity]:
        return [LinkedIdentity.of(row) for row in await identities.list_identities(info.context)]


@strawberry.type
class IdentityMutations:
    @access.mutation(
        access.PUBLIC,
        "Sign in as a rider with an ID token of the outside OpenID Connect issuer; five tries a minute per address. The first"
        " time, the account of the verified email address is taken, or made; one with a second factor is not taken: link the"
        " identity to it. Of a linked identity no second factor is asked for: that is the issuer's part.",
    )
    async def sign_in_with_identity_token(
        self, info: strawberry.Info, input: Annotated[SignInWithIdentityTokenInput, access.INPUT]
    ) -> SignInWithIdentityTokenResult | None:
        signed_in = await identities.sign_in_with_identity_token(
            info.context, Audience.CUSTOMER, id_token=input.id_token, nonce=input.nonce
        )
        return SignInWithIdentityTokenSuccess.of(signed_in)

    @access.mutation(
        access.RIDERS, "Let an identity of the outside issuer sign in as you, whatever its email address; as many tries as above."
    )
    async def link_identity(
        self, info: strawberry.Info, input: Annotated[LinkIdentityInput, access.INPUT]
    ) -> LinkIdentityResult | None:
        await identities.link_identity(
            info.context,
            id_token=input.id_token,
            nonce=input.nonce,
            current_password=input.current_password,
            second_factor_code=input.second_factor_code,
        )
        return LinkIdentitySuccess(is_linked=True)

    @access.mutation(
        access.RIDERS,
        "Let an identity sign in as you no more. Whoever has no password gets one by the link in a mail.",
    )
    async def unlink_identity(
        self, info: strawberry.Info, input: Annotated[UnlinkIdentityInput, access.INPUT]
    ) -> UnlinkIdentityResult | None:
        await identities.unlink_identity(info.context, identity_id=input.identity_id)
        return UnlinkIdentitySuccess(is_unlinked=True)
