"""Profiles: what riders say of themselves: name, language, phone."""

from __future__ import annotations

import re
from typing import TypedDict

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import errors, tables
from domain.actor import Actor
from domain.values import LANGUAGES, is_storable

MAX_NAME_LENGTH = 100
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


class Changes(TypedDict, total=False):
    """What is not in it stays as it is."""

    name: str | None
    language: str | None
    #: None takes it away
    phone: str | None


def name_issues(path: str, name: str | None) -> list[errors.Issue]:
    """What speaks against a name of a person, a place or a commute."""
    if name and name.strip() and len(name) <= MAX_NAME_LENGTH and name.isprintable() and is_storable(name):
        return []
    return [errors.Issue(path, f"A name has 1 to {MAX_NAME_LENGTH} characters, all of them visible, in one line.")]


async def update_profile(session: AsyncSession, who: Actor, changes: Changes) -> None:
    """Raises InvalidInput, NotFound."""
    issues = [] if "name" not in changes else name_issues("name", changes["name"])
    if changes.get("language", "en") not in LANGUAGES:
        issues.append(errors.Issue("language", f"language is one of {', '.join(LANGUAGES)}."))
    phone = changes.get("phone")
    if phone is not None and not _E164.fullmatch(phone):
        issues.append(
            errors.Issue(
                "phone", "A phone number is written as in E.164: + and 7 to 15 digits, +491701234567; null takes it away."
            )
        )
    if issues:
        raise errors.InvalidInput(issues)
    values = {name: value.strip() if name == "name" and isinstance(value, str) else value for name, value in changes.items()}
    if not values:
        return
    changing = update(tables.Customer).where(tables.Customer.id == who.account_id).values(values)
    if (await session.execute(changing.returning(tables.Customer.id))).one_or_none() is None:
        raise errors.NotFound("There is no such customer.")


async def hold_rider(session: AsyncSession, who: Actor) -> None:
    """Those who save for one rider go one after another: a count of what there is then holds until the commit."""
    held = select(tables.Customer.id).where(tables.Customer.id == who.account_id).with_for_update(key_share=True)
    if (await session.execute(held)).one_or_none() is None:
        raise errors.NotFound("There is no such customer.")
