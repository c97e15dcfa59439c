"""Identities: what ID tokens of outside issuers are exchanged for, and who signs in as a rider."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from domain import identities, ids
from schema.nodes import Node
from schema.types.accounts import SignInSuccess


@strawberry.type(description="Somebody at an outside OpenID Connect issuer who signs in as you.")
class LinkedIdentity(Node):
    issuer: str = field(description="URL of the issuer.")
    created_at: datetime = field(description="When it was linked, by you or by its first sign-in.")

    @classmethod
    def of(cls, row: identities.LinkedIdentity) -> LinkedIdentity:
        return cls(id=strawberry.ID(ids.encode(ids.IDENTITY, row.id)), issuer=row.issuer, created_at=row.created_at)


@strawberry.type(description="Tokens of a session of ours; the ID token is not needed any more.")
class SignInWithIdentityTokenSuccess(SignInSuccess):
    pass


@strawberry.type(description="The identity signs in as you from now on.")
class LinkIdentitySuccess:
    is_linked: bool = field(description="Always true, also when it was linked before.")


@strawberry.type(description="The identity does not sign in as you any more; sessions that it has opened go on.")
class UnlinkIdentitySuccess:
    is_unlinked: bool = field(description="Always true.")


ID_TOKEN = "From the issuer, in its compact form; 16,384 characters at most."  # noqa: S105 - a description
NONCE = "That of the authentication request; only when there was none may it be left out."


@strawberry.input(description="Who signs in, as an outside issuer says.")
class SignInWithIdentityTokenInput:
    id_token: str = field(description=ID_TOKEN)
    nonce: str | None = field(default=None, description=NONCE)


@strawberry.input(description="The identity to sign in with from now on, and the proof that it is you.")
class LinkIdentityInput:
    id_token: str = field(description=ID_TOKEN)
    nonce: str | None = field(default=None, description=NONCE)
    current_password: str = field(description="That of your account; 1,024 characters at most.")
    second_factor_code: str | None = field(default=None, description="Of an account that has a second factor, as at signing in.")


@strawberry.input(description="The identity that shall not sign in as you any more.")
class UnlinkIdentityInput:
    identity_id: strawberry.ID = field(description="Of one of your own.")
