"""A sealed token opens what it was sealed for, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import errors, ids
from domain.seals import Purpose, Seals

SEALS = Seals(b"k" * 32)


@given(st.uuids())
def test_a_token_opens_for_its_purpose_alone(row: UUID) -> None:
    token = SEALS.seal(Purpose.PASSWORD_RESET, row)
    assert SEALS.open(Purpose.PASSWORD_RESET, token) == row
    with pytest.raises(errors.LinkExpired):
        SEALS.open(Purpose.EMAIL_VERIFICATION, token)


@given(st.text(max_size=60))
def test_nothing_that_was_not_sealed_opens(text: str) -> None:
    with pytest.raises(errors.LinkExpired):
        SEALS.open(Purpose.DATA_EXPORT, text)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(errors.LinkExpired):
        Seals(b"another key, as long as the first").open(Purpose.DATA_EXPORT, SEALS.seal(Purpose.DATA_EXPORT, ids.new()))


def test_another_spelling_of_a_token_is_not_the_token() -> None:
    token = SEALS.seal(Purpose.DATA_EXPORT, ids.new())
    for spelling in (token + "=", token + " ", token[:-1], token.swapcase()):
        with pytest.raises(errors.LinkExpired):
            SEALS.open(Purpose.DATA_EXPORT, spelling)


@given(st.uuids(), st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_token_with_an_end_says_when_it_is(row: UUID, until: datetime) -> None:
    token = SEALS.seal_until(Purpose.PHOTO_VIEW, row, until)
    assert SEALS.open_until(Purpose.PHOTO_VIEW, token) == (row, until.replace(microsecond=0))
    with pytest.raises(errors.LinkExpired):
        SEALS.open_until(Purpose.PHOTO_UPLOAD, token)


def test_nobody_gives_a_token_an_end_or_another_one() -> None:
    row, until = ids.new(), datetime(2026, 11, 21, tzinfo=UTC)
    endless, ending = SEALS.seal(Purpose.PHOTO_VIEW, row), SEALS.seal_until(Purpose.PHOTO_VIEW, row, until)
    with pytest.raises(errors.LinkExpired):
        SEALS.open_until(Purpose.PHOTO_VIEW, endless)
    with pytest.raises(errors.LinkExpired):
        SEALS.open(Purpose.PHOTO_VIEW, ending)
    for at in range(len(ending)):
        changed = ending[:at] + ("A" if ending[at] != "A" else "B") + ending[at + 1 :]
        with pytest.raises(errors.LinkExpired):
            SEALS.open_until(Purpose.PHOTO_VIEW, changed)
