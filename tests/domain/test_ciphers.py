"""What a cipher wrote is read in its row, under its key and for its purpose alone."""

from __future__ import annotations

from domain import ids
from domain.ciphers import Cipher


def test_what_was_encrypted_is_read_in_its_row_alone() -> None:
    cipher, row_id = Cipher(b"key", "numbers"), ids.new()
    kept = cipher.encrypt("B072", row_id=row_id)
    assert cipher.decrypt(kept, row_id=row_id) == "B072"
    assert b"B072" not in kept
    assert kept != cipher.encrypt("B072", row_id=row_id)
    for other, where in ((cipher, ids.new()), (Cipher(b"new key", "numbers"), row_id), (Cipher(b"key", "names"), row_id)):
        assert other.decrypt(kept, row_id=where) is None


def test_a_digest_shows_doubles_to_those_who_have_the_key() -> None:
    cipher = Cipher(b"key", "numbers")
    assert cipher.digest("B072") == cipher.digest("B072") != cipher.digest("B073")
    assert Cipher(b"other key", "numbers").digest("B072") != cipher.digest("B072")
