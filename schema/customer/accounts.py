"""Signing in, refreshing and signing out as a rider."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain.actor import Audience
from resolvers import accounts
from schema import access
from schema.results import RefreshSessionResult, SignInResult, SignOutResult
from schema.types.accounts import (
    Customer,
    RefreshSessionInput,
    RefreshSessionSuccess,
    SignInInput,
    SignInSuccess,
    SignOutSuccess,
)


@strawberry.type
class AccountQueries:
    @access.query(access.RIDERS, "The rider who asks.")
    async def viewer(self, info: strawberry.Info) -> Customer:
        return Customer.of(await accounts.get_customer(info.context))


@strawberry.type
class AccountMutations:
    @access.mutation(access.PUBLIC, "Sign in as a rider; five tries a minute per account and address.")
    async def sign_in(self, info: strawberry.Info, input: Annotated[SignInInput, access.INPUT]) -> SignInResult | None:
        signed_in = await accounts.sign_in(info.context, Audience.CUSTOMER, email=input.email, password=input.password)
        return SignInSuccess.of(signed_in)

    @access.mutation(access.PUBLIC, "New tokens for a rider's session; a refresh token used twice ends its session.")
    async def refresh_session(
        self, info: strawberry.Info, input: Annotated[RefreshSessionInput, access.INPUT]
    ) -> RefreshSessionResult | None:
        signed_in = await accounts.refresh_session(info.context, Audience.CUSTOMER, refresh_token=input.refresh_token)
        return RefreshSessionSuccess.of(signed_in)

    @access.mutation(access.RIDERS, "End the session that asks.")
    async def sign_out(self, info: strawberry.Info) -> SignOutResult | None:
        await accounts.sign_out(info.context)
        return SignOutSuccess(is_signed_out=True)
