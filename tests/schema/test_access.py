"""Who may what is decided for the whole operation, before any field of it runs."""

from __future__ import annotations

from uuid import UUID

import pytest
import strawberry
from graphql import OperationDefinitionNode, parse
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult
from strawberry.types.graphql import OperationType

from domain import ids
from domain.actor import Actor, Audience
from schema import access, build
from tests.schema.contexts import ADMIN, DISPATCHER, RIDER, TECHNICIAN, RecordingContext

REPORT = 'reportVehicle(input: { vehicleId: "fleet_vehicle_01kak2xnv5e6k9yzvhx5xrzr0p" }) { __typename }'
CANCEL = (
    'cancelReservation(input: { reservationId: "reservation_01kak2xnv5e6k9yzvhx5xrzr0p", idempotencyKey: "k" }) { __typename }'
)
OPS_CANCEL = CANCEL.replace('idempotencyKey: "k"', 'idempotencyKey: "k", reason: "r"')

FORBIDDEN: list[tuple[str, Actor | None, list[str]]] = [
    # a public field beside one that needs a role
    ("query { customer { metros { id } viewer { id } } }", None, ["customer.viewer"]),
    ("query { customer { metros { id } } ops { metros { id } } }", RIDER, ["ops.metros"]),
    ("query { ops { viewer { id } metros { id } } }", RIDER, ["ops.metros", "ops.viewer"]),
    ("query { customer { viewer { id } } }", ADMIN, ["customer.viewer"]),
    # roles within ops
    ("query { ops { metros { id } reservations { nodes { id } } } }", TECHNICIAN, ["ops.reservations"]),
    (f"mutation {{ ops {{ {REPORT} {OPS_CANCEL} }} }}", TECHNICIAN, ["ops.cancelReservation"]),
    # a mutation of one namespace beside one of the other
    (f"mutation {{ customer {{ {CANCEL} }} ops {{ {REPORT} }} }}", RIDER, ["ops.reportVehicle"]),
    (f"mutation {{ customer {{ {CANCEL} }} ops {{ {REPORT} }} }}", DISPATCHER, ["customer.cancelReservation"]),
    # hidden behind aliases, fragments, inline fragments
    ("query { a: customer { b: metros { id } c: viewer { id } } }", None, ["customer.viewer"]),
    ("query { a: customer { metros { id } } b: customer { viewer { id } } }", None, ["customer.viewer"]),
    ("query { ...q } fragment q on Query { ops { ...o } } fragment o on OpsQuery { viewer { id } }", RIDER, ["ops.viewer"]),
    ("query { ... on Query { ops { ... { ... on OpsQuery { viewer { id } } } } } }", RIDER, ["ops.viewer"]),
    # a skipped field counts: what an operation needs does not hang on its variables
    ("query { customer { metros { id } viewer @skip(if: true) { id } } }", None, ["customer.viewer"]),
    ("query ($no: Boolean = false) { customer { metros { id } viewer @include(if: $no) { id } } }", None, ["customer.viewer"]),
    # only the operation that is run counts, whatever its name
    ("query viewer { ops { viewer { id } } }", RIDER, ["ops.viewer"]),
]


@pytest.mark.parametrize(("text", "who", "fields"), FORBIDDEN)
async def test_one_field_that_is_not_yours_refuses_the_whole_operation(
    schema: build.NimrodSchema, text: str, who: Actor | None, fields: list[str]
) -> None:
    context = RecordingContext(who)
    result = await schema.execute(text, context_value=context)
    assert not context.has_run
    assert result.data is None
    assert result.errors
    assert len(result.errors) == 1
    code = "UNAUTHENTICATED" if who is None else "FORBIDDEN"
    assert result.errors[0].extensions == {"code": code, "fields": fields}
    assert result.errors[0].message.endswith("Nothing of the operation was run.")


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("query { customer { metros { id } } }", None),
        ("query { customer { metros { id } } }", DISPATCHER),
        ("query { ops { metros { id } } }", TECHNICIAN),
        (f"mutation {{ ops {{ {OPS_CANCEL} }} }}", DISPATCHER),
        (f"mutation {{ customer {{ {CANCEL} }} }}", RIDER),
    ],
)
async def test_what_is_yours_runs(schema: build.NimrodSchema, text: str, who: Actor | None) -> None:
    context = RecordingContext(who)
    await schema.execute(text, context_value=context)
    assert context.has_run


async def test_only_the_operation_that_is_run_is_judged(schema: build.NimrodSchema) -> None:
    text = "query mine { customer { metros { id } } } query theirs { ops { viewer { id } } }"
    allowed, refused = RecordingContext(RIDER), RecordingContext(RIDER)
    await schema.execute(text, context_value=allowed, operation_name="mine")
    assert allowed.has_run
    await schema.execute(text, context_value=refused, operation_name="theirs")
    assert not refused.has_run


@pytest.mark.parametrize(
    ("text", "who", "code"),
    [
        ('subscription { customerChatEvents(conversationId: "c") { __typename } }', None, "UNAUTHENTICATED"),
        ('subscription { customerChatEvents(conversationId: "c") { __typename } }', DISPATCHER, "FORBIDDEN"),
        ("subscription { customerReservationChanged { __typename } }", None, "UNAUTHENTICATED"),
        ("subscription { customerReservationChanged { __typename } }", DISPATCHER, "FORBIDDEN"),
        (
            'subscription { ...s } fragment s on Subscription { opsDispatchUpdates(metroId: "m") { __typename } }',
            RIDER,
            "FORBIDDEN",
        ),
    ],
)
async def test_a_stream_that_is_not_yours_never_starts(
    schema: build.NimrodSchema, text: str, who: Actor | None, code: str
) -> None:
    context = RecordingContext(who)
    stream = await schema.subscribe(text, context_value=context)
    first = stream if isinstance(stream, ExecutionResult) else await anext(stream)
    assert not context.has_run
    assert first.errors
    assert (first.errors[0].extensions or {})["code"] == code


async def test_an_operation_of_another_kind_than_allowed_is_refused(schema: build.NimrodSchema) -> None:
    context = RecordingContext(RIDER)
    with pytest.raises(InvalidOperationTypeError):
        await schema.execute(
            f"mutation {{ customer {{ {CANCEL} }} }}", context_value=context, allowed_operation_types={OperationType.QUERY}
        )
    assert not context.has_run


@pytest.mark.parametrize("name", [None, "third"])
async def test_several_operations_need_a_name_that_exists(schema: build.NimrodSchema, name: str | None) -> None:
    text = "query first { __typename } query second { __typename }"
    result = await schema.execute(text, context_value=RecordingContext(), operation_name=name)
    assert result.errors
    assert (result.errors[0].extensions or {})["code"] == "OPERATION_RESOLUTION_FAILURE"


def test_a_root_field_must_say_who_may_use_it() -> None:
    @strawberry.type
    class Query:
        @strawberry.field
        def anything(self) -> int:
            return 1

    with pytest.raises(TypeError, match="query anything does not say who may use it"):
        access.RootFields(strawberry.Schema(Query))


def test_requirements_are_those_of_the_selected_root_fields(schema: build.NimrodSchema) -> None:
    document = parse("{ customer { viewer { id } metros { id } } ops { viewer { id } } __typename }")
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    found = access.RootFields(schema).requirements(document, operation)
    assert found == {("customer.viewer", access.RIDERS), ("ops.viewer", access.STAFF)}


NODES = [
    (ids.STAFF, ADMIN, True),
    (ids.FLEET_VEHICLE, TECHNICIAN, True),
    (ids.OPS_RESERVATION, DISPATCHER, True),
    (ids.OPS_RESERVATION, TECHNICIAN, False),
    (ids.RESERVATION, RIDER, True),
    (ids.RESERVATION, ADMIN, False),
    (ids.FLEET_VEHICLE, RIDER, False),
    (ids.CONVERSATION, None, False),
    (ids.VEHICLE, None, True),
    ("unheard_of", RIDER, False),
]


def node_query(prefix: str, who: Actor | None) -> str:
    return f'{{ node(id: "{ids.encode(prefix, who.account_id if who else UUID(int=1))}") {{ id }} }}'


@pytest.mark.parametrize(("prefix", "who", "is_looked_for"), NODES)
async def test_a_node_of_another_audience_is_not_even_looked_for(
    schema: build.NimrodSchema, prefix: str, who: Actor | None, is_looked_for: bool
) -> None:
    context = RecordingContext(who)
    result = await schema.execute(node_query(prefix, who), context_value=context)
    assert context.has_run == is_looked_for
    if not is_looked_for:
        assert (result.data, result.errors) == ({"node": None}, None)


@pytest.mark.parametrize(
    ("audience", "prefix", "who"),
    [
        (Audience.CUSTOMER, ids.STAFF, ADMIN),
        (Audience.CUSTOMER, ids.FLEET_VEHICLE, ADMIN),
        (Audience.OPS, ids.RESERVATION, RIDER),
    ],
)
async def test_a_process_finds_no_node_of_an_audience_that_it_does_not_serve(audience: Audience, prefix: str, who: Actor) -> None:
    context = RecordingContext(who)
    result = await build.build((audience,)).execute(node_query(prefix, who), context_value=context)
    assert (result.data, result.errors, context.has_run) == ({"node": None}, None, False)
