"""The printed contract is the contract."""

from __future__ import annotations

import sys

import pytest
from graphql import build_schema, print_schema

from schema import build, printing


def test_the_printed_files_are_current() -> None:
    assert printing.differences() == "", "run `make schema` and read the difference"


def test_what_is_printed_is_what_is_served(schema: build.NimrodSchema) -> None:
    from_file = build_schema((printing.FOLDER / "schema.graphql").read_text())
    assert print_schema(from_file).strip()
    assert set(from_file.type_map) == set(schema._schema.type_map)


def test_check_fails_with_a_diff(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["printing", "--check"])
    assert printing.main() == 0
    monkeypatch.setattr(printing, "printed", lambda _: "type Query { changed: Int }\n")
    assert printing.main() == 1
    assert "+type Query { changed: Int }" in capsys.readouterr().out
