"""Limits on documents: tokens, fields, depth, aliases. Every fragment is measured once, however often it is spread."""

from __future__ import annotations

from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)


@dataclass(frozen=True, slots=True)
class Limits:
    tokens: int = 2000
    #: with fragments opened as often as they are spread
    fields: int = 2000
    depth: int = 12
    aliases: int = 30


@dataclass(slots=True)
class _Measure:
    depth: int = 0
    fields: int = 0
    aliases: int = 0


class _Ruler:
    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        self._measured: dict[str, _Measure] = {}

    def measure(self, selection_set: SelectionSetNode) -> _Measure:
        total = _Measure()
        for selection in selection_set.selections:
            inner = self._selection(selection)
            total.depth = max(total.depth, inner.depth)
            total.fields += inner.fields
            total.aliases += inner.aliases
        return total

    def _selection(self, selection: SelectionNode) -> _Measure:
        if isinstance(selection, FragmentSpreadNode):
            return self._fragment(selection.name.value)
        if isinstance(selection, InlineFragmentNode):
            return self.measure(selection.selection_set)
        if not isinstance(selection, FieldNode):
            return _Measure()
        inner = self.measure(selection.selection_set) if selection.selection_set else _Measure()
        return _Measure(inner.depth + 1, inner.fields + 1, inner.aliases + (selection.alias is not None))

    def _fragment(self, name: str) -> _Measure:
        if name not in self._measured:
            self._measured[name] = _Measure()  # a cycle ends here; validation names it
            if fragment := self._fragments.get(name):
                self._measured[name] = self.measure(fragment.selection_set)
        return self._measured[name]


def broken(document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    """The limits that an operation of the document breaks; introspection's own depth is allowed for."""
    ruler = _Ruler(document)
    found = []
    for operation in document.definitions:
        if not isinstance(operation, OperationDefinitionNode):
            continue
        measure = ruler.measure(operation.selection_set)
        allowed = max(limits.depth, _INTROSPECTION_DEPTH) if _is_introspection(operation) else limits.depth
        if measure.depth > allowed:
            found.append(too_costly(f"The operation nests {measure.depth} levels; {allowed} are allowed.", operation))
        if measure.fields > limits.fields:
            found.append(
                too_costly(f"The operation selects {measure.fields:,} fields; {limits.fields:,} are allowed.", operation)
            )
        if measure.aliases > limits.aliases:
            found.append(too_costly(f"The operation uses {measure.aliases:,} aliases; {limits.aliases} are allowed.", operation))
    return found


#: GraphiQL's own query goes 13 to 15 levels deep, through nested `ofType`
_INTROSPECTION_DEPTH = 16


def _is_introspection(operation: OperationDefinitionNode) -> bool:
    return all(
        isinstance(selection, FieldNode) and selection.name.value in ("__schema", "__type", "__typename")
        for selection in operation.selection_set.selections
    )


def too_costly(message: str, operation: OperationDefinitionNode | None = None) -> GraphQLError:
    return GraphQLError(message, nodes=[operation] if operation else None, extensions={"code": "DOCUMENT_TOO_COSTLY"})
