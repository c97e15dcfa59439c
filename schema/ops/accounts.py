"""Signing in, staying so, signing out and changing the password as a member of staff."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain.actor import Audience
from resolvers import accounts
from schema import access
from schema.results import (
    ChangePasswordResult,
    EndSessionResult,
    RefreshSessionResult,
    SignInResult,
    SignOutEverywhereResult,
    SignOutResult,
)
from schema.types.accounts import (
    ChangePasswordInput,
    ChangePasswordSuccess,
    EndSessionInput,
    EndSessionSuccess,
    RefreshSessionInput,
    RefreshSessionSuccess,
    SignInInput,
    SignInSuccess,
    SignOutEverywhereInput,
    SignOutEverywhereSuccess,
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
        signed_in = await accounts.sign_in(
            info.context,
            Audience.OPS,
            email=input.email,
            password=input.password,
            second_factor_code=input.second_factor_code,
        )
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

    @access.mutation(access.STAFF, "End one of your sessions; ending it again changes nothing.")
    async def end_session(
        self, info: strawberry.Info, input: Annotated[EndSessionInput, access.INPUT]
    ) -> EndSessionResult | None:
        await accounts.end_session(info.context, session_id=input.session_id)
        return EndSessionSuccess(is_ended=True)

    @access.mutation(access.STAFF, "End all your sessions, with or without the one that asks.")
    async def sign_out_everywhere(
        self, info: strawberry.Info, input: Annotated[SignOutEverywhereInput, access.INPUT]
    ) -> SignOutEverywhereResult | None:
        await accounts.sign_out_everywhere(info.context, is_current_kept=input.is_current_kept)
        return SignOutEverywhereSuccess(is_signed_out=True)

    @access.mutation(access.STAFF, "Change your password and end all other sessions; as many tries as at signing in.")
    async def change_password(
        self, info: strawberry.Info, input: Annotated[ChangePasswordInput, access.INPUT]
    ) -> ChangePasswordResult | None:
        await accounts.change_password(info.context, current_password=input.current_password, new_password=input.new_password)
        return ChangePasswordSuccess(is_changed=True)
