"""Access: which role a root field needs, declared on the field and checked for the whole operation before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from domain.actor import Actor, Audience, Role
from schema import sharing
from schema.fields import F

RIDERS = (Role.RIDER,)
STAFF = (Role.TECHNICIAN, Role.DISPATCHER, Role.ADMIN)
DISPATCHERS = (Role.DISPATCHER, Role.ADMIN)
PUBLIC: tuple[Role, ...] = ()
NAMESPACES = {"customer": Audience.CUSTOMER, "ops": Audience.OPS}
#: of the one argument that every mutation takes
INPUT = strawberry.argument(description="All that the act needs to know.")
_KEY = "nimrod-roles"
_STREAM = "nimrod-stream"


def _needs(roles: tuple[Role, ...]) -> str:
    return f" Needs: {', '.join(role.name for role in roles)}." if roles else " Needs: nothing."


def query(roles: tuple[Role, ...], description: str) -> Callable[[F], F]:
    return cast("Callable[[F], F]", strawberry.field(description=description + _needs(roles), metadata={_KEY: roles}))


def mutation(roles: tuple[Role, ...], description: str) -> Callable[[F], F]:
    return cast("Callable[[F], F]", strawberry.mutation(description=description + _needs(roles), metadata={_KEY: roles}))


def subscription(
    roles: tuple[Role, ...],
    description: str,
    *,
    per: sharing.Per = sharing.Per.OPERATION,
    slow: sharing.Slow = sharing.Slow.REREAD,
) -> Callable[[F], F]:
    """A stream: who may follow it, for whom one execution is run, what becomes of readers that are too slow for it.

    One that is shared follows its topic with the context's `place`, and its cursor argument is called `after`.
    """
    metadata = {_KEY: roles, _STREAM: sharing.Stream(per, slow)}
    return cast("Callable[[F], F]", strawberry.subscription(description=description + _needs(roles), metadata=metadata))


def declared_roles(definition: Any) -> tuple[Role, ...] | None:
    """Roles of a Strawberry field; None when it declares none (a namespace, an introspection field)."""
    found: tuple[Role, ...] | None = definition.metadata.get(_KEY)
    return found


class RootFields:
    """The roles of every root field, by operation type, namespace and name."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._roles: dict[tuple[str, str], tuple[Role, ...]] = {}
        #: what the subscription fields declare, by name
        self.streams: dict[str, sharing.Stream] = {}
        core = schema._schema
        for operation, root in (
            ("query", core.query_type),
            ("mutation", core.mutation_type),
            ("subscription", core.subscription_type),
        ):
            for name, field in root.fields.items() if root else ():
                if name in NAMESPACES:
                    for inner, inner_field in field.type.of_type.fields.items():
                        self._add(f"{operation} {name}", inner, inner_field)
                else:
                    self._add(operation, name, field)

    def _add(self, scope: str, name: str, field: Any) -> None:
        definition = field.extensions["strawberry-definition"]
        if (stream := definition.metadata.get(_STREAM)) is not None:
            self.streams[name] = stream
        roles = declared_roles(definition)
        if roles is None:
            raise TypeError(f"{scope} {name} does not say who may use it")
        self._roles[scope, name] = roles

    def requirements(self, document: DocumentNode, operation: OperationDefinitionNode) -> frozenset[tuple[str, tuple[Role, ...]]]:
        """(field, roles) of every root field that the operation selects and that is not public; skipped ones count."""
        fragments = _fragments(document)
        kind = operation.operation.value
        found = set()
        for field in _fields(operation.selection_set, fragments):
            name = field.name.value
            if name in NAMESPACES and field.selection_set is not None:
                for inner in _fields(field.selection_set, fragments):
                    found.add((f"{name}.{inner.name.value}", self._roles.get((f"{kind} {name}", inner.name.value), PUBLIC)))
            else:
                found.add((name, self._roles.get((kind, name), PUBLIC)))
        return frozenset((name, roles) for name, roles in found if roles)


def _fragments(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def _fields(selection_set: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode]) -> Iterator[FieldNode]:
    """Fields of one level, fragments opened, each fragment once."""
    opened: set[str] = set()
    waiting = [selection_set]
    while waiting:
        for selection in waiting.pop().selections:
            if isinstance(selection, FieldNode):
                yield selection
            elif isinstance(selection, InlineFragmentNode):
                waiting.append(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode) and selection.name.value not in opened:
                opened.add(selection.name.value)
                if fragment := fragments.get(selection.name.value):
                    waiting.append(fragment.selection_set)


def refusals(requirements: frozenset[tuple[str, tuple[Role, ...]]], who: Actor | None) -> list[str]:
    """Names of the fields that the actor may not use."""
    if who is None:
        return sorted(name for name, _ in requirements)
    return sorted(name for name, roles in requirements if who.role not in roles)


def introspection_fields(document: DocumentNode) -> list[FieldNode]:
    """Where a document asks for the schema itself."""
    fragments = _fragments(document)
    return [
        field
        for operation in document.definitions
        if isinstance(operation, OperationDefinitionNode)
        for field in _fields(operation.selection_set, fragments)
        if field.name.value in ("__schema", "__type")
    ]


def introspection_error(field: FieldNode) -> GraphQLError:
    message = "Introspection is off here. The schema is published as a file."
    return GraphQLError(message, nodes=[field], extensions={"code": "INTROSPECTION_DISABLED"})
