"""The verdict: it finds what it is there to find."""

from __future__ import annotations

from array import array

import pytest

from tests.soak.verdict import Table, Verdict


@pytest.mark.parametrize(
    ("seen", "announcements", "expected"),
    [
        ([5, 3, 9, 4], [], Verdict()),
        ([5, 9, 4], [], Verdict(lost=1)),
        ([9, 4], [], Verdict(lost=2)),
        ([5, 3], [], Verdict(behind=2)),
        ([], [], Verdict(behind=4)),
        ([5, 3, 3, 9, 4], [], Verdict(repeated=1)),
        ([5, 3, 9, 4, 5], [], Verdict(repeated=1)),
        ([5, 9, 3, 4], [], Verdict(out_of_order=1)),
        ([5, 3, 7, 9, 4], [], Verdict(unknown=1)),
        ([5, 4], [1], Verdict(skipped=2, announced=1)),
        ([5, 3], [2], Verdict(skipped=2, announced=1)),
        ([5, 3, 9, 4], [2], Verdict(announced=1)),
        ([5, 4], [2], Verdict(lost=2, announced=1)),
        ([5, 9], [], Verdict(lost=1, behind=1)),
    ],
)
def test_a_sequence_is_held_against_the_table(seen: list[int], announcements: list[int], expected: Verdict) -> None:
    found = Table([5, 3, 9, 4]).judge(array("I", seen), announcements)
    assert found == expected
    assert found.is_clean == (not any((found.lost, found.behind, found.repeated, found.out_of_order, found.unknown)))


def test_a_table_that_numbers_twice_is_refused() -> None:
    with pytest.raises(AssertionError):
        Table([1, 2, 2])
