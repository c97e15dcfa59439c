"""The examples of the page against the schema they are written for."""

import json
from pathlib import Path

import pytest
from graphql import OperationDefinitionNode, VariableDefinitionNode, parse, validate

from app.web import page
from schema import build

EXAMPLES = sorted((Path(page.__file__).parent / "examples").glob("*.graphql"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_valid_and_names_its_variables(example: Path) -> None:
    document = parse(example.read_text(encoding="utf-8"))
    assert validate(build.build()._schema, document) == []
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    assert operation.name is not None
    given = example.with_suffix(".json")
    variables = json.loads(given.read_text(encoding="utf-8")) if given.exists() else {}
    assert list(variables) == [_name(variable) for variable in operation.variable_definitions or ()]


def _name(variable: VariableDefinitionNode) -> str:
    return variable.variable.name.value
