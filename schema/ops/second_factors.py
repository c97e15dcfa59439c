"""Second factors of staff: enrolling an app, confirming and disabling it, recovery codes."""

from __future__ import annotations

from typing import Annotated

import strawberry

from resolvers import second_factors
from schema import access
from schema.results import (
    ConfirmSecondFactorResult,
    DisableSecondFactorResult,
    EnrollSecondFactorResult,
    RenewRecoveryCodesResult,
)
from schema.types.second_factors import (
    ConfirmSecondFactorInput,
    ConfirmSecondFactorSuccess,
    DisableSecondFactorInput,
    DisableSecondFactorSuccess,
    EnrollSecondFactorInput,
    EnrollSecondFactorSuccess,
    RenewRecoveryCodesInput,
    RenewRecoveryCodesSuccess,
)


@strawberry.type
class StaffSecondFactorMutations:
    @access.mutation(access.STAFF, "Get a secret for an authenticator app; not asked for until it is confirmed.")
    async def enroll_second_factor(
        self, info: strawberry.Info, input: Annotated[EnrollSecondFactorInput, access.INPUT]
    ) -> EnrollSecondFactorResult | None:
        enrolment = await second_factors.enroll_second_factor(info.context, current_password=input.current_password)
        return EnrollSecondFactorSuccess.of(enrolment)

    @access.mutation(
        access.STAFF,
        "Have a code of the app asked for at signing in from now on. Who missed the answer asks for new recovery codes.",
    )
    async def confirm_second_factor(
        self, info: strawberry.Info, input: Annotated[ConfirmSecondFactorInput, access.INPUT]
    ) -> ConfirmSecondFactorResult | None:
        codes = await second_factors.confirm_second_factor(info.context, code=input.code)
        return ConfirmSecondFactorSuccess(recovery_codes=codes)

    @access.mutation(access.STAFF, "Get new recovery codes instead of all before; as many tries a minute as at signing in.")
    async def renew_recovery_codes(
        self, info: strawberry.Info, input: Annotated[RenewRecoveryCodesInput, access.INPUT]
    ) -> RenewRecoveryCodesResult | None:
        codes = await second_factors.renew_recovery_codes(info.context, code=input.code)
        return RenewRecoveryCodesSuccess(recovery_codes=codes)

    @access.mutation(access.STAFF, "Sign in with the password alone again; as many tries a minute as at signing in.")
    async def disable_second_factor(
        self, info: strawberry.Info, input: Annotated[DisableSecondFactorInput, access.INPUT]
    ) -> DisableSecondFactorResult | None:
        await second_factors.disable_second_factor(info.context, current_password=input.current_password, code=input.code)
        return DisableSecondFactorSuccess(is_disabled=True)
