"""Signing in with an outside issuer as a member of staff."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain.actor import Audience
from resolvers import identities
from schema import access, errors
from schema.types.identities import SignInWithIdentityTokenInput, SignInWithIdentityTokenSuccess


@strawberry.type(description="Tokens of a session of ours, with the role and the metros that the issuer names.")
class OpsSignInWithIdentityTokenSuccess(SignInWithIdentityTokenSuccess):
    pass


OpsSignInWithIdentityTokenResult = Annotated[
    OpsSignInWithIdentityTokenSuccess
    | errors.IdentityTokenRefusedError
    | errors.EmailNotVerifiedError
    | errors.RoleNotGrantedError
    | errors.IssuerNotConfiguredError
    | errors.InvalidInputError,
    strawberry.union("OpsSignInWithIdentityTokenResult", description="What signing in with an ID token can answer staff."),
]


@strawberry.type
class OpsIdentityMutations:
    @access.mutation(
        access.PUBLIC,
        "Sign in as a member of staff with an ID token of the outside OpenID Connect issuer; five tries a minute per address."
        " Each time the account gets the role and the metros that the issuer names. No second factor is asked for here: that is"
        " the issuer's part.",
    )
    async def sign_in_with_identity_token(
        self, info: strawberry.Info, input: Annotated[SignInWithIdentityTokenInput, access.INPUT]
    ) -> OpsSignInWithIdentityTokenResult | None:
        signed_in = await identities.sign_in_with_identity_token(
            info.context, Audience.OPS, id_token=input.id_token, nonce=input.nonce
        )
        return OpsSignInWithIdentityTokenSuccess.of(signed_in)
