"""Accounts: the viewer, and what signing in gives."""

from __future__ import annotations

from datetime import datetime
from typing import Self

import strawberry
from strawberry import field

from domain import accounts, ids
from resolvers.accounts import SignedIn
from schema import enums, fields
from schema.nodes import Node

Role = enums.Role


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


@strawberry.input(description="Who signs in.")
class SignInInput:
    email: str = field(description="Upper and lower case are the same.")
    password: str = field(description="1,024 characters at most.")


@strawberry.input(description="The session to go on with.")
class RefreshSessionInput:
    refresh_token: str = field(description="From signing in or the last refresh.")
