"""What riders say of themselves is checked, and what they do not say stays."""

from __future__ import annotations

from typing import Any

import pytest

from app.database import SessionFactory
from domain import accounts, errors, profiles
from tests import factories


async def test_what_is_left_out_stays_and_null_takes_a_phone_away(session_factory: SessionFactory) -> None:
    async with session_factory.begin() as session:
        rider, other = await factories.add_rider(session, name="Ada"), await factories.add_rider(session, name="Bo")
    steps: list[tuple[profiles.Changes, tuple[Any, ...]]] = [
        ({}, ("Ada", "en", None)),
        ({"phone": "+491701234567"}, ("Ada", "en", "+491701234567")),
        ({"name": " Ada L. ", "language": "fr"}, ("Ada L.", "fr", "+491701234567")),
        ({"phone": None}, ("Ada L.", "fr", None)),
    ]
    for changes, expected in steps:
        async with session_factory.begin() as session:
            await profiles.update_profile(session, rider, changes)
            found = await accounts.get_customer(session, rider.account_id)
        assert (found.name, found.language, found.phone) == expected
    async with session_factory() as session:
        assert (await accounts.get_customer(session, other.account_id)).name == "Bo"


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"language": "nl"}, "language"),
        ({"language": None}, "language"),
        ({"phone": "0170 1234567"}, "phone"),
        ({"phone": "+0491701234"}, "phone"),
        ({"phone": "+4917012345678901"}, "phone"),
        ({"phone": "+491701234567\n"}, "phone"),
    ],
)
async def test_what_is_wrong_is_named(changes: profiles.Changes, path: str) -> None:
    nobody: Any = None  # refused before the database is asked
    with pytest.raises(errors.InvalidInput) as refusal:
        await profiles.update_profile(nobody, nobody, changes)
    assert [issue.path for issue in refusal.value.issues] == [path]
