"""Public ids name exactly one thing of one type."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import errors, ids

PREFIXES = [value for name, value in vars(ids).items() if name.isupper() and not name.startswith("_") and isinstance(value, str)]


@given(st.sampled_from(PREFIXES), st.uuids())
def test_an_id_comes_back_as_the_uuid_it_names(prefix: str, value: UUID) -> None:
    public = ids.encode(prefix, value)
    assert ids.decode(public, prefix) == value
    assert ids.prefix_of(public) == prefix
    assert len(public) == len(prefix) + 27


@given(st.uuids(), st.uuids())
def test_ids_sort_as_their_uuids(one: UUID, other: UUID) -> None:
    assert (ids.encode("trip", one) < ids.encode("trip", other)) == (one.int < other.int)


def test_the_examples_of_the_specification_hold() -> None:
    examples = {
        "00000000000000000000000000": "00000000-0000-0000-0000-000000000000",
        "0000000000000000000000000a": "00000000-0000-0000-0000-00000000000a",
        "7zzzzzzzzzzzzzzzzzzzzzzzzz": "ffffffff-ffff-ffff-ffff-ffffffffffff",
        "0123456789abcdefghjkmnpqrs": "0110c853-1d09-52d8-d73e-1194e95b5f19",
        "01h455vb4pex5vsknk084sn02q": "01890a5d-ac96-774b-bcce-b302099a8057",
    }
    for suffix, value in examples.items():
        assert ids.decode(f"prefix_{suffix}", "prefix") == UUID(value)
        assert ids.encode("prefix", UUID(value)) == f"prefix_{suffix}"


@given(st.text(max_size=60))
def test_other_text_is_refused_and_never_breaks(text: str) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        ids.decode(text, ids.VEHICLE, path="input.vehicleId")
    assert refusal.value.path == ["input", "vehicleId"]


@pytest.mark.parametrize(
    "public",
    [
        "vehicle_8zzzzzzzzzzzzzzzzzzzzzzzzz",  # more than 128 bits
        "vehicle_01H455VB4PEX5VSKNK084SN02Q",  # one spelling a value
        "vehicle_01h455vb4pex5vsknk084sn02u",  # a letter outside the alphabet
        "vehicle_01h455vb4pex5vsknk084sn02",
        "reservation_01h455vb4pex5vsknk084sn02q",
        "fleet_vehicle_01h455vb4pex5vsknk084sn02q",
        "",
    ],
)
def test_an_id_of_another_type_or_shape_is_refused(public: str) -> None:
    with pytest.raises(errors.InvalidInput):
        ids.decode(public, ids.VEHICLE)


def test_prefixes_are_one_a_type() -> None:
    assert len(set(PREFIXES)) == len(PREFIXES)


def test_new_ids_sort_by_time_of_creation() -> None:
    made = [ids.new() for _ in range(1000)]
    assert made == sorted(made)
