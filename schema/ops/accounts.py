"""Signing in, refreshing and signing out as a member of staff."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain.actor import Audience
from resolvers import accounts
from schema import access
from schema.results import RefreshSessionResult, SignInResult, SignOutResult
from schema.types.accounts import (
    RefreshSessionInput,
    RefreshSessionSuccess,
    SignInInput,
    SignInSuccess,
    SignOutSuccess,
    StaffMember,
)


@strawberry.type
class StaffQueries:
    @access.query(access.STAFF, "The member of staff who asks.")
    async def viewer(self, info: strawberry.Info) -> StaffMember:
        return StaffMember.of(await accounts.get_staff_member(info.context))


@strawberry.type
class StaffMutations:
    @access.mutation(access.PUBLIC, "Sign in as a member of staff; five tries a minute per account and address.")
    async def sign_in(self, info: strawberry.Info, input: Annotated[SignInInput, access.INPUT]) -> SignInResult | None:
        signed_in = await accounts.sign_in(info.context, Audience.OPS, email=input.email, password=input.password)
        return SignInSuccess.of(signed_in)

    @access.mutation(access.PUBLIC, "New tokens for a session of staff; a refresh token used twice ends its session.")
    async def refresh_session(
        self, info: strawberry.Info, input: Annotated[RefreshSessionInput, access.INPUT]
    ) -> RefreshSessionResult | None:
        signed_in = await accounts.refresh_session(info.context, Audience.OPS, refresh_token=input.refresh_token)
        return RefreshSessionSuccess.of(signed_in)

    @access.mutation(access.STAFF, "End the session that asks.")
    async def sign_out(self, info: strawberry.Info) -> SignOutResult | None:
        await accounts.sign_out(info.context)
        return SignOutSuccess(is_signed_out=True)
