"""Sharing: which subscriptions are the same, so that one execution serves all who follow them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    NonNullTypeNode,
    NullValueNode,
    OperationDefinitionNode,
    OperationType,
    VariableNode,
    Visitor,
    visit,
)

from domain.actor import Actor

CURSOR_ARGUMENT = "after"


@dataclass(frozen=True, slots=True)
class Share:
    """One operation, without who asks and where they go on."""

    query: str
    operation_name: str | None
    #: canonical JSON, without the cursor
    variables: bytes
    #: what its actors may see
    scope: str


@dataclass(frozen=True, slots=True)
class Sharing:
    """What of an operation's variables is everybody's own."""

    #: variable that holds the cursor
    cursor: str | None

    def share(self, query: str, variables: dict[str, Any], operation_name: str | None, who: Actor) -> Share | None:
        common = {name: value for name, value in variables.items() if name != self.cursor}
        try:
            canonical = orjson.dumps(common, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # half a character, an endless number: the operation's own trouble
            return None
        if orjson.loads(canonical) != common:  # what is no JSON number would be written as null
            return None
        return Share(query, operation_name, canonical, who.scope)

    def resumes(self, variables: dict[str, Any]) -> bool:
        return self.cursor is not None and variables.get(self.cursor) is not None


def of_operation(document: DocumentNode, operation: OperationDefinitionNode, shared: Collection[str]) -> Sharing | None:
    """How an operation may be shared. One that says more than the plain field runs for itself, which is always right."""
    if operation.operation is not OperationType.SUBSCRIPTION or len(operation.selection_set.selections) != 1:
        return None
    field = operation.selection_set.selections[0]
    if not isinstance(field, FieldNode) or field.name.value not in shared or field.directives or operation.directives:
        return None
    given = next((argument.value for argument in field.arguments or () if argument.name.value == CURSOR_ARGUMENT), None)
    if given is None or isinstance(given, NullValueNode):
        return Sharing(None)
    if isinstance(given, VariableNode) and _is_free(document, operation, given.name.value):
        return Sharing(given.name.value)
    return None


def _is_free(document: DocumentNode, operation: OperationDefinitionNode, name: str) -> bool:
    """Whether the variable may be left out and is used nowhere else."""
    declared = [one for one in operation.variable_definitions or () if one.variable.name.value == name]
    if len(declared) != 1 or declared[0].default_value is not None or isinstance(declared[0].type, NonNullTypeNode):
        return False
    uses = _Uses(name)
    visit(document, uses)
    others = sum(
        definition.variable.name.value == name
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
        for definition in node.variable_definitions or ()
    )
    return uses.found - others == 1


class _Uses(Visitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self.found = 0

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        if node.name.value == self._name:
            self.found += 1
