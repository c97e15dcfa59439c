"""Accounts: the viewer, where they are signed in, and what signing in gives."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry
from strawberry import field

from domain import accounts, ids, sessions
from domain.actor import Actor
from resolvers import accounts as account_resolvers
from resolvers.accounts import SignedIn
from schema import enums, fields
from schema.nodes import Node

Role = enums.Role
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
class Customer(Node):
    email: str = field(description="Also the name to sign in with.")
    name: str = field(description="What to call the rider.")
    language: str = field(description="BCP 47 tag of the preferred language.")
    position: strawberry.Private[object]

    @fields.resolved(
        "`customerReservationChanged` continues from here: pass it as `after`. Ask for it first, and for the reservations in an"
        " operation after that: then no change between the two is missed."
    )
    def cursor(self, info: strawberry.Info) -> str:
        return str(info.context.runtime.cursors.of_position(self.position))

    @fields.resolved(SESSIONS)
    async def sessions(self, info: strawberry.Info) -> list[SignInSession]:
        return await _sessions(info)

    @classmethod
    def of(cls, row: accounts.Customer) -> Customer:
        return cls(
            id=strawberry.ID(ids.encode(ids.CUSTOMER, row.id)),
            email=row.email,
            name=row.name,
            language=row.language,
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


@strawberry.input(description="Who signs in.")
class SignInInput:
    email: str = field(description="Upper and lower case are the same.")
    password: str = field(description="1,024 characters at most.")


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
    new_password: str = field(description="1,024 characters at most.")
