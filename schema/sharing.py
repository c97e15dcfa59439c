"""Sharing: what a stream declares, and which subscriptions are the same, so that one execution serves all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import UUID

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
#: scope of those who have not signed in
PUBLIC = "public"


class Per(Enum):
    """Whom one execution of a stream serves."""

    #: itself: what it carries depends on more than its arguments and its actor
    OPERATION = "operation"
    #: every socket of one account
    VIEWER = "viewer"
    #: everybody of one scope: who they are makes no difference to what it carries
    SCOPE = "scope"


class Slow(Enum):
    """What becomes of readers that fall behind by more than a queue holds."""

    #: they read the log by themselves and join again; nothing is lost
    REREAD = "reread"
    #: their sockets are closed, with a code that says so; they come back with their cursor
    CUT_OFF = "cut off"


@dataclass(frozen=True, slots=True)
class Stream:
    """What a subscription field declares."""

    per: Per = Per.OPERATION
    slow: Slow = Slow.REREAD


@dataclass(frozen=True, slots=True)
class Share:
    """One operation, without who asks and where they go on."""

    query: str
    operation_name: str | None
    #: canonical JSON, without the cursor
    variables: bytes
    #: what its actors may see
    scope: str
    #: whom the stream belongs to, when it is personal
    viewer: UUID | None
    slow: Slow


@dataclass(frozen=True, slots=True)
class Sharing:
    """What of an operation's variables is everybody's own."""

    stream: Stream
    #: variable that holds the cursor
    cursor: str | None

    def share(self, query: str, variables: dict[str, Any], operation_name: str | None, who: Actor | None) -> Share | None:
        common = {name: value for name, value in variables.items() if name != self.cursor}
        try:
            canonical = orjson.dumps(common, option=orjson.OPT_SORT_KEYS)
        except TypeError:  # half a character, an endless number: the operation's own trouble
            return None
        if orjson.loads(canonical) != common:  # what is no JSON number would be written as null
            return None
        viewer = who.account_id if who is not None and self.stream.per is Per.VIEWER else None
        return Share(query, operation_name, canonical, PUBLIC if who is None else who.scope, viewer, self.stream.slow)

    def cursor_of(self, variables: dict[str, Any]) -> Any:
        return None if self.cursor is None else variables.get(self.cursor)


def of_operation(document: DocumentNode, operation: OperationDefinitionNode, streams: Mapping[str, Stream]) -> Sharing | None:
    """How an operation may be shared. One that says more than the plain field runs for itself, which is always right."""
    if operation.operation is not OperationType.SUBSCRIPTION or len(operation.selection_set.selections) != 1:
        return None
    field = operation.selection_set.selections[0]
    if not isinstance(field, FieldNode) or field.directives or operation.directives:
        return None
    stream = streams.get(field.name.value)
    if stream is None or stream.per is Per.OPERATION:
        return None
    given = next((argument.value for argument in field.arguments or () if argument.name.value == CURSOR_ARGUMENT), None)
    if given is None or isinstance(given, NullValueNode):
        return Sharing(stream, None)
    if isinstance(given, VariableNode) and _is_free(document, operation, given.name.value):
        return Sharing(stream, given.name.value)
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
