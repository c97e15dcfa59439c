"""Tokens for scripts: a sign-in session made with the database and the signing key instead of a password."""

from __future__ import annotations

from sqlalchemy.exc import OperationalError, ProgrammingError

from app import database
from app.auth import AccessTokens
from app.gateways.clock import SystemClock
from app.settings import Settings
from domain import accounts
from domain.actor import Audience


class NoToken(Exception):
    """Why there is no token, for people."""


async def access_token(settings: Settings, email: str, *, ops: bool) -> str:
    """For the rider of that email, or for the member of staff with `ops` or where there is no rider."""
    clock = SystemClock()
    url = database.plain_url(settings)
    audiences = [Audience.OPS] if ops else [Audience.CUSTOMER, Audience.OPS]
    try:
        async with database.opened(settings, url) as sessions, sessions.begin() as session:
            for audience in audiences:
                found = await accounts.find_credentials(session, audience, email)
                if found is not None:
                    opened = await accounts.open_session(
                        session, audience, found, days=settings.refresh_token_days, now=clock.now()
                    )
                    return AccessTokens(settings.secret(), clock, minutes=settings.access_token_minutes).access_token(
                        opened.actor
                    )[0]
    except ProgrammingError:
        raise NoToken("The database has no tables yet: run nimrod migrate, then nimrod seed.") from None
    except (OperationalError, OSError) as error:
        raise NoToken(f"The database does not answer: {error}") from None
    who = "member of staff" if ops else "account"
    raise NoToken(f"There is no {who} with the email {email}.")
