"""The schema: one for each choice of namespaces, with its limits and its own way of executing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import strawberry
from graphql import GraphQLError
from graphql import OperationType as CoreOperationType
from strawberry.schema.config import StrawberryConfig
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.types.execution import ExecutionContext, ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from domain.actor import Actor, Audience
from schema import access, errors, limits, masking, namespaces, scalars, sharing
from schema.documents import Documents

ALL = (Audience.CUSTOMER, Audience.OPS)


class SerialNamespaces(StrawberryGraphQLCoreExecutionContext):
    """Runs the fields of a mutation namespace one after another, as the specification promises for root fields."""

    def execute_collected_subfields(
        self,
        parent_type: Any,
        source_value: Any,
        path: Any,
        grouped_field_set: Any,
        new_defer_usages: Any,
        position_context: Any,
    ) -> Any:
        definition = parent_type.extensions.get("strawberry-definition")
        run: Callable[..., Any] = super().execute_collected_subfields
        if definition is not None and getattr(definition.origin, "__serial_namespace__", False):
            return self.execute_fields_serially(parent_type, source_value, path, grouped_field_set, position_context)
        return run(parent_type, source_value, path, grouped_field_set, new_defer_usages, position_context)


class NimrodSchema(strawberry.Schema):
    """Strawberry's schema with documents opened once, access checked for the whole operation, and errors masked.

    The overridden methods are not public API: the version is pinned and `tests/schema/test_build.py` holds each.
    """

    documents: Documents

    def open_documents(self, allowed: limits.Limits, *, introspection: bool) -> None:
        self.documents = Documents(self._schema, access.RootFields(self), allowed, introspection=introspection)

    def share(
        self, query: str, variables: dict[str, Any] | None, operation_name: str | None, who: Actor | None
    ) -> sharing.Share | None:
        """What the operation has in common with others; None when it runs for itself, or not at all."""
        try:
            document = self.documents.open(query)
        except GraphQLError:
            return None
        operation = None if document.errors else document.operation(operation_name)
        if operation is None or operation.sharing is None or access.refusals(operation.requirements, who):
            return None
        return operation.sharing.share(query, variables or {}, operation_name, who)

    def is_subscription(self, query: str, operation_name: str | None) -> bool:
        """Of a document that is running already."""
        operation = self.documents.open(query).operation(operation_name)
        return operation is not None and operation.node.operation is CoreOperationType.SUBSCRIPTION

    def cursor_of(self, share: sharing.Share, variables: dict[str, Any]) -> Any:
        """What the variables hold as the cursor to go on from, whatever that is; None: nothing."""
        operation = self.documents.open(share.query).operation(share.operation_name)
        return None if operation is None or operation.sharing is None else operation.sharing.cursor_of(variables)

    async def _prepare_operation_async(self, context: ExecutionContext, extensions_runner: Any) -> PreExecutionError | None:  # noqa: ARG002
        try:
            problems = self._admit(context)
        except GraphQLError as error:
            problems = [error]
        if problems:
            context.pre_execution_errors = problems
            return PreExecutionError(data=None, errors=problems)
        return None

    def _admit(self, context: ExecutionContext) -> list[GraphQLError]:
        document = self.documents.open(context.query or "")
        context.graphql_document = document.node
        if document.errors:
            return list(document.errors)
        operation = document.operation(context._provided_operation_name)
        if operation is None:
            named = context._provided_operation_name
            message = f"There is no operation named {named!r} in the document." if named else "Name the operation to run."
            return [GraphQLError(message, extensions={"code": "OPERATION_RESOLUTION_FAILURE"})]
        if context.operation_type not in context.allowed_operations:
            raise InvalidOperationTypeError(context.operation_type)
        return _refusal(access.refusals(operation.requirements, context.context.actor), context.context.actor)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing here: `present` logs what it masks, once, with the id that the caller gets."""

    async def _handle_execution_result(
        self, context: ExecutionContext, result: Any, extensions_runner: Any, *, skip_process_errors: bool = False
    ) -> ExecutionResult:
        handled = await super()._handle_execution_result(
            context, result, extensions_runner, skip_process_errors=skip_process_errors
        )
        if handled.errors:
            handled.errors = [masking.present(error, context.context.request_id) for error in handled.errors]
        return handled


def _refusal(fields: list[str], who: Actor | None) -> list[GraphQLError]:
    if not fields:
        return []
    listed = ", ".join(fields)
    if who is None:
        message = f"Sign in to use {listed}. Nothing of the operation was run."
        return [GraphQLError(message, extensions={"code": "UNAUTHENTICATED", "fields": fields})]
    message = f"{listed}: not for a {who.role.name} of the {who.audience} namespace. Nothing of the operation was run."
    return [GraphQLError(message, extensions={"code": "FORBIDDEN", "fields": fields})]


def _root(name: str, bases: Iterable[type], description: str) -> type:
    return strawberry.type(type(name, tuple(bases), {}), name=name, description=description)


def build(
    audiences: tuple[Audience, ...] = ALL, allowed: limits.Limits | None = None, *, introspection: bool = True
) -> NimrodSchema:
    """The schema with the namespaces of these audiences and no type of any other."""
    schema = NimrodSchema(
        query=_root("Query", [*(namespaces.QUERIES[one] for one in audiences), namespaces.NodeQuery], "What can be asked."),
        mutation=_root("Mutation", [namespaces.MUTATIONS[one] for one in audiences], "What can be done."),
        subscription=_root("Subscription", [namespaces.SUBSCRIPTIONS[one] for one in audiences], "What can be followed."),
        types=list(dict.fromkeys(node for one in audiences for node in namespaces.NODES[one])),
        config=StrawberryConfig(scalar_map=scalars.SCALARS),
        execution_context_class=SerialNamespaces,
        exception_handlers=errors.handlers(),
    )
    schema.open_documents(allowed or limits.Limits(), introspection=introspection)
    return schema


#: what a request may run over plain HTTP
HTTP_OPERATIONS = {OperationType.QUERY, OperationType.MUTATION}
SAFE_OPERATIONS = {OperationType.QUERY}
