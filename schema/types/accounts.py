"""Accounts: the viewer, where they are signed in, and what signing in gives."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry
from strawberry import field

from domain import accounts, ids, sessions
from domain.actor import Actor
from resolvers import accounts as account_resolvers
from resolvers import privacy, second_factors
from resolvers.accounts import SignedIn
from schema import enums, fields
from schema.nodes import Node
from schema.types.commutes import CommuteFields
from schema.types.notifications import NotificationFields
from schema.types.payments import PaymentFields
from schema.types.privacy import Consent, DataExport
from schema.types.profiles import ProfileFields
from schema.types.trips import OpenTripField

Role = enums.Role
HAS_SECOND_FACTOR = "Whether signing in takes a code of an app beside the password."
CODES_LEFT = "Recovery codes that have not been used; 10 at most, 0 without a second factor."
SESSIONS = "Where you are signed in, the session refreshed last first; 100 at most."


@strawberry.type(description="One sign-in of an account, on some device, until it ends.")
class SignInSession(Node):
    created_at: datetime = field(description="When it was signed in.")
    refreshed_at: datetime = field(description="When it last got new tokens.")
    is_current: bool = field(description="Whether it is the one that asks.")

    @classmethod
    def of(cls, row: sessions.Session, who: Actor) -> SignInSession:
        return cls(
            id=strawberry.ID(ids.encode(ids.SESSION, row.id)),
            created_at=row.created_at,
            refreshed_at=row.refreshed_at,
            is_current=row.id == who.session_id,
        )


async def _sessions(info: strawberry.Info) -> list[SignInSession]:
    return [SignInSession.of(row, info.context.who) for row in await account_resolvers.list_sessions(info.context)]


@strawberry.type(description="A rider's account, as the rider sees it.")
class Customer(Node, ProfileFields, CommuteFields, NotificationFields, OpenTripField, PaymentFields):
    email: str = field(description="Also the name to sign in with.")
    name: str = field(description="What to call the rider.")
    language: str = field(description="BCP 47 tag of the preferred language.")
    phone: str | None = field(description="E.164; null when the rider has given none.")
    position: strawberry.Private[object]

    @fields.resolved(
        "`customerReservationChanged`, `customerTripChanged` and `customerNotifications` continue from here: pass it as `after`."
        " Ask for it first, and for what they show in an operation after that: then nothing between the two is missed."
    )
    def cursor(self, info: strawberry.Info) -> str:
        return str(info.context.runtime.cursors.of_position(self.position))

    @fields.resolved(SESSIONS)
    async def sessions(self, info: strawberry.Info) -> list[SignInSession]:
        return await _sessions(info)

    @fields.resolved("Archives of everything about the rider, latest first; 20 at most.")
    async def exports(self, info: strawberry.Info) -> list[DataExport]:
        return [DataExport.of(row) for row in await privacy.list_exports(info.context)]

    @fields.resolved("Consents in force, one a purpose that was ever asked for; 5 at most.")
    async def consents(self, info: strawberry.Info) -> list[Consent]:
        return [Consent.of(row) for row in await privacy.list_consents(info.context)]

    @fields.resolved("What the rider granted and took back, latest first; 100 at most.")
    async def consent_history(self, info: strawberry.Info) -> list[Consent]:
        return [Consent.of(row) for row in await privacy.list_consent_history(info.context)]

    @fields.resolved(HAS_SECOND_FACTOR)
    async def has_second_factor(self, info: strawberry.Info) -> bool:
        return (await second_factors.find_protection(info.context)).has_second_factor

    @fields.resolved(CODES_LEFT)
    async def recovery_codes_left(self, info: strawberry.Info) -> int:
        return (await second_factors.find_protection(info.context)).recovery_codes_left

    @classmethod
    def of(cls, row: accounts.Customer) -> Customer:
        return cls(
            id=strawberry.ID(ids.encode(ids.CUSTOMER, row.id)),
            email=row.email,
            name=row.name,
            language=row.language,
            phone=row.phone,
            position=row.position,
        )


@strawberry.type(description="A member of staff.")
class StaffMember(Node):
    email: str = field(description="Also the name to sign in with.")
    name: str = field(description="What to call them.")
    role: Role = field(description="What they may do.")

    @fields.resolved(SESSIONS)
    async def sessions(self, info: strawberry.Info) -> list[SignInSession]:
        return await _sessions(info)

    @fields.resolved(HAS_SECOND_FACTOR)
    async def has_second_factor(self, info: strawberry.Info) -> bool:
        return (await second_factors.find_protection(info.context)).has_second_factor

    @fields.resolved(CODES_LEFT)
    async def recovery_codes_left(self, info: strawberry.Info) -> int:
        return (await second_factors.find_protection(info.context)).recovery_codes_left

    @classmethod
    def of(cls, row: accounts.StaffMember) -> StaffMember:
        return cls(id=strawberry.ID(ids.encode(ids.STAFF, row.id)), email=row.email, name=row.name, role=row.role)


@strawberry.type(description="Tokens of a sign-in session. Send the access token as `Authorization: Bearer …`.")
class SignInSuccess:
    access_token: str = field(description="Good for one audience: the namespace that signed you in.")
    expires_in_seconds: int = field(description="How long the access token is good for.")
    refresh_token: str = field(description="Good for one refresh; each refresh gives a new one.")
    refresh_token_expires_at: datetime = field(description="When the session ends unless it is refreshed.")

    @classmethod
    def of(cls, signed_in: SignedIn) -> Self:
        return cls(
            access_token=signed_in.access_token,
            expires_in_seconds=signed_in.access_token_seconds,
            refresh_token=signed_in.refresh_token,
            refresh_token_expires_at=signed_in.refresh_token_expires_at,
        )


@strawberry.type(description="The same session with new tokens.")
class RefreshSessionSuccess(SignInSuccess):
    pass


@strawberry.type(description="The session is over; its access token runs out by itself within minutes.")
class SignOutSuccess:
    is_signed_out: bool = field(description="Always true.")


@strawberry.type(description="That session is over; what it has open is closed within seconds.")
class EndSessionSuccess:
    is_ended: bool = field(description="Always true, also for a session that was over already.")


@strawberry.type(description="The sessions are over; what they have open is closed within seconds.")
class SignOutEverywhereSuccess:
    is_signed_out: bool = field(description="Always true, also when there was none to end.")


@strawberry.type(description="The new password is in force; all other sessions are over.")
class ChangePasswordSuccess:
    is_changed: bool = field(description="Always true.")


@strawberry.type(description="If the address has an account, a mail with a link is on its way. The answer is the same if not.")
class RequestPasswordResetSuccess:
    is_requested: bool = field(description="Always true. The link is good for one hour.")


@strawberry.type(description="The new password is in force; all sessions are over. A second factor is asked for as before.")
class ResetPasswordSuccess:
    is_changed: bool = field(description="Always true.")


@strawberry.input(description="Whose password is forgotten.")
class RequestPasswordResetInput:
    email: str = field(description="Of the account; upper and lower case are the same.")


@strawberry.input(description="The link in the mail and the password to be.")
class ResetPasswordInput:
    token: str = field(description="What the link ends with.")
    new_password: str = field(description="8 to 1,024 characters.")


@strawberry.input(description="Who signs in.")
class SignInInput:
    email: str = field(description="Upper and lower case are the same.")
    password: str = field(description="1,024 characters at most.")
    second_factor_code: str | None = field(
        default=None,
        description="Of an account that has a second factor: the six digits that the app shows, good once, 30 seconds before"
        " and after its time too; or a recovery code.",
    )


@strawberry.input(description="The session to go on with.")
class RefreshSessionInput:
    refresh_token: str = field(description="From signing in or the last refresh.")


@strawberry.input(description="The session to end.")
class EndSessionInput:
    session_id: strawberry.ID = field(description="Of one of your own, also the one that asks.")


@strawberry.input(description="Which sessions to end.")
class SignOutEverywhereInput:
    is_current_kept: bool = field(description="True ends all but the session that asks; false ends that one too.")


@strawberry.input(description="The password that is and the one to be.")
class ChangePasswordInput:
    current_password: str = field(description="The one to sign in with so far.")
    new_password: str = field(description="8 to 1,024 characters.")
