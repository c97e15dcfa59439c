"""A cursor is one that this service gave out, for what it was given out for."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from domain import errors
from domain.eventlog import Position
from resolvers.cursors import CursorCodec

CODEC = CursorCodec(b"a key of the tests, 32 bytes long")
numbers = st.integers(0, 2**64 - 1)
positions = st.builds(Position, epoch=st.integers(0, 2**32 - 1), xid=numbers, seq=numbers)
keys = st.binary(min_size=1, max_size=40)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(positions)
def test_a_position_comes_back(position: Position) -> None:
    assert CODEC.position(CODEC.of_position(position)) == position


@given(keys)
def test_a_key_comes_back(key: bytes) -> None:
    assert CODEC.key(CODEC.of_key(key)) == key


@given(positions, st.data())
def test_one_changed_letter_is_noticed(position: Position, data: st.DataObject) -> None:
    cursor = CODEC.of_position(position)
    at = data.draw(st.integers(0, len(cursor) - 1))
    letter = data.draw(st.sampled_from(ALPHABET))
    assume(letter != cursor[at])
    with pytest.raises(errors.InvalidInput):
        CODEC.position(cursor[:at] + letter + cursor[at + 1 :])


@given(st.text(max_size=80) | st.binary(max_size=40).map(lambda body: body.hex()))
def test_other_text_is_refused_and_never_breaks(text: str) -> None:
    for read in (CODEC.position, CODEC.key):
        with pytest.raises(errors.InvalidInput) as refusal:
            read(text, path="after")
        assert refusal.value.path == ["after"]


@given(positions, st.binary(min_size=16, max_size=64))
def test_a_cursor_of_another_key_is_refused(position: Position, key: bytes) -> None:
    with pytest.raises(errors.InvalidInput):
        CODEC.position(CursorCodec(key).of_position(position))


@given(positions, keys)
def test_streams_and_lists_do_not_take_each_others_cursors(position: Position, key: bytes) -> None:
    with pytest.raises(errors.InvalidInput):
        CODEC.key(CODEC.of_position(position))
    with pytest.raises(errors.InvalidInput):
        CODEC.position(CODEC.of_key(key))


@given(positions)
def test_a_cursor_is_safe_in_a_url(position: Position) -> None:
    assert set(CODEC.of_position(position)) <= set(ALPHABET)
