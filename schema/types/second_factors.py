"""Second factors: what enrolling, confirming, renewing and disabling take and give."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from domain import second_factors

CODES = (
    "Each signs in once instead of a code of the app; shown this once, so keep them. They take the place of all before."
    " 10 at most."
)


@strawberry.input(description="Whose second factor is to be.")
class EnrollSecondFactorInput:
    current_password: str = field(description="The one to sign in with.")


@strawberry.input(description="That the app has the secret.")
class ConfirmSecondFactorInput:
    code: str = field(description="The six digits that the app shows; blanks do not matter.")


@strawberry.input(description="Who asks for new recovery codes.")
class RenewRecoveryCodesInput:
    code: str = field(description="The six digits that the app shows, or a recovery code.")


@strawberry.input(description="Whose second factor is to go.")
class DisableSecondFactorInput:
    current_password: str = field(description="The one to sign in with.")
    code: str = field(description="The six digits that the app shows, or a recovery code.")


@strawberry.type(description="A secret for the authenticator app. Nothing is asked for until a code of it has been confirmed.")
class EnrollSecondFactorSuccess:
    secret: str = field(description="Base32, to type into the app: TOTP with SHA-1, 6 digits, 30 seconds.")
    otpauth_uri: str = field(description="The same for a QR code: `otpauth://totp/…`.")
    expires_at: datetime = field(description="Until when it can be confirmed: one hour. Enrolling again makes another.")

    @classmethod
    def of(cls, row: second_factors.Enrolment) -> EnrollSecondFactorSuccess:
        return cls(secret=row.secret, otpauth_uri=row.uri, expires_at=row.expires_at)


@strawberry.type(description="From now on signing in takes a code. Sessions that are open stay so.")
class ConfirmSecondFactorSuccess:
    recovery_codes: list[str] = field(description=CODES)


@strawberry.type(description="New recovery codes; all before are good for nothing.")
class RenewRecoveryCodesSuccess:
    recovery_codes: list[str] = field(description=CODES)


@strawberry.type(description="Signing in takes the password alone again.")
class DisableSecondFactorSuccess:
    is_disabled: bool = field(description="Always true.")
