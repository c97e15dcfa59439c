"""The printed contract: the schema of every choice of namespaces, kept as files that a review can read."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from domain.actor import Audience
from schema import build

FOLDER = Path(__file__).parent
FILES = {
    "schema.graphql": build.ALL,
    "schema.customer.graphql": (Audience.CUSTOMER,),
    "schema.ops.graphql": (Audience.OPS,),
}
#: for linters of those who use the file
_EXCEPTIONS = (
    "# eslint-disable @graphql-eslint/strict-id-in-types -- entities have an id; events, results, errors and values have none\n"
    "# eslint-disable @graphql-eslint/no-typename-prefix -- `vehicleType` is the word of GBFS\n\n"
)


#: the library prints this directive of the specification as one of ours, without the description that linters ask for
_ONE_OF = "directive @oneOf on INPUT_OBJECT"
_DESCRIBED = '"""Exactly one of the fields is given, and it is not null."""\n' + _ONE_OF


def printed(audiences: tuple[Audience, ...]) -> str:
    return f"{_EXCEPTIONS}{build.build(audiences).as_str().replace(_ONE_OF, _DESCRIBED)}\n"


def differences() -> str:
    """Unified diff from the files to the schema; empty when they agree."""
    found: list[str] = []
    for name, audiences in FILES.items():
        path = FOLDER / name
        kept = path.read_text() if path.exists() else ""
        lines = (kept.splitlines(keepends=True), printed(audiences).splitlines(keepends=True))
        found += difflib.unified_diff(*lines, f"schema/{name}", f"{name} as built")
    return "".join(found)


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m schema.printing", description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing; show the difference and fail if there is one")
    if arguments.parse_args().check:
        found = differences()
        sys.stdout.write(found)
        return 1 if found else 0
    for name, audiences in FILES.items():
        (FOLDER / name).write_text(printed(audiences))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
