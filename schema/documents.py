"""Documents: parsed, measured and validated once, then remembered by their text."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    parse,
    validate,
)

from domain.actor import Role
from schema import access, limits, sharing

CACHE_SIZE = 1000
Requirements = frozenset[tuple[str, tuple[Role, ...]]]


@dataclass(frozen=True, slots=True)
class Operation:
    node: OperationDefinitionNode
    #: root fields that need a role
    requirements: Requirements
    #: how it may be run once for many; None when it may not
    sharing: sharing.Sharing | None = None


@dataclass(frozen=True, slots=True)
class Document:
    node: DocumentNode
    #: what is wrong with it, whoever asks
    errors: tuple[GraphQLError, ...]
    operations: dict[str | None, Operation]

    def operation(self, name: str | None) -> Operation | None:
        """The operation of that name, or the only one."""
        if name is None:
            return next(iter(self.operations.values())) if len(self.operations) == 1 else None
        return self.operations.get(name)


class Documents:
    """What a schema makes of document texts; the least recently used ones are forgotten."""

    def __init__(
        self, core: GraphQLSchema, root_fields: access.RootFields, allowed: limits.Limits, *, introspection: bool
    ) -> None:
        self._core = core
        self._root_fields = root_fields
        self._limits = allowed
        self._introspection = introspection
        self._known: OrderedDict[str, Document] = OrderedDict()

    def open(self, text: str) -> Document:
        """Raises GraphQLError when the text cannot be read."""
        document = self._known.get(text)
        if document is None:
            document = self._known[text] = self._read(text)
            if len(self._known) > CACHE_SIZE:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(text)
        return document

    def _read(self, text: str) -> Document:
        try:
            node = parse(text, max_tokens=self._limits.tokens)
            errors = limits.broken(node, self._limits) or validate(self._core, node)
        except RecursionError:
            raise limits.too_costly("The document nests too deep to be read.") from None
        except GraphQLSyntaxError as error:
            if not error.message.endswith("Parsing aborted."):
                raise
            raise limits.too_costly(error.message.removeprefix("Syntax Error: ")) from None
        operations = [one for one in node.definitions if isinstance(one, OperationDefinitionNode)]
        if not errors and not self._introspection:
            errors = [access.introspection_error(field) for field in access.introspection_fields(node)]
        opened: dict[str | None, Operation] = {}
        if not errors:
            for one in operations:
                name = one.name.value if one.name else None
                opened[name] = Operation(
                    one, self._root_fields.requirements(node, one), sharing.of_operation(node, one, self._root_fields.streams)
                )
        return Document(node, tuple(errors), opened)
