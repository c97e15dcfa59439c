"""Forgotten passwords of staff: asking for a link, and setting a new one by it."""

from __future__ import annotations

from typing import Annotated

import strawberry

from domain.actor import Audience
from resolvers import password_resets
from schema import access
from schema.results import RequestPasswordResetResult, ResetPasswordResult
from schema.types.accounts import (
    RequestPasswordResetInput,
    RequestPasswordResetSuccess,
    ResetPasswordInput,
    ResetPasswordSuccess,
)


@strawberry.type
class StaffPasswordMutations:
    @access.mutation(
        access.PUBLIC, "Ask for a link to set a member of staff's password anew; as many tries a minute as at signing in."
    )
    async def request_password_reset(
        self, info: strawberry.Info, input: Annotated[RequestPasswordResetInput, access.INPUT]
    ) -> RequestPasswordResetResult | None:
        await password_resets.request_password_reset(info.context, Audience.OPS, email=input.email)
        return RequestPasswordResetSuccess(is_requested=True)

    @access.mutation(access.PUBLIC, "Set the password by a link; it works once, and ends those before it and all sessions.")
    async def reset_password(
        self, info: strawberry.Info, input: Annotated[ResetPasswordInput, access.INPUT]
    ) -> ResetPasswordResult | None:
        await password_resets.reset_password(info.context, Audience.OPS, token=input.token, new_password=input.new_password)
        return ResetPasswordSuccess(is_changed=True)
