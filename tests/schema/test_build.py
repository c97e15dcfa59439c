"""How the schema executes: namespaces in series, introspection only where it is allowed, audiences apart."""

from __future__ import annotations

import asyncio

import pytest
import strawberry
from graphql import get_introspection_query

from domain.actor import Audience
from schema import build, namespaces
from tests.schema.contexts import RIDER, RecordingContext


@strawberry.type
class Steps:
    __serial_namespace__ = True

    @strawberry.mutation
    async def step(self, info: strawberry.Info, name: str, seconds: float) -> str:
        info.context.append(f"{name} begins")
        await asyncio.sleep(seconds)
        info.context.append(f"{name} ends")
        return name


@strawberry.type
class StepQuery:
    @strawberry.field
    def steps(self) -> Steps:
        return Steps()


@strawberry.type
class StepMutation(StepQuery):
    pass


STEPS = """
    mutation { steps { slow: step(name: "slow", seconds: 0.02) ...quick } }
    fragment quick on Steps { step(name: "quick", seconds: 0) }
"""


async def test_fields_of_a_mutation_namespace_run_one_after_another_in_their_order() -> None:
    schema = strawberry.Schema(StepQuery, StepMutation, execution_context_class=build.SerialNamespaces)
    told: list[str] = []
    result = await schema.execute(STEPS, context_value=told)
    assert result.data == {"steps": {"slow": "slow", "step": "quick"}}
    assert list(result.data["steps"]) == ["slow", "step"]
    assert told == ["slow begins", "slow ends", "quick begins", "quick ends"]


async def test_without_our_execution_they_would_overlap() -> None:
    """The reason for the class: should a newer version make it needless, this fails."""
    told: list[str] = []
    await strawberry.Schema(StepQuery, StepMutation).execute(STEPS, context_value=told)
    assert told[:2] == ["slow begins", "quick begins"]


def test_both_mutation_namespaces_are_serial() -> None:
    for namespace in (namespaces.CustomerMutation, namespaces.OpsMutation):
        assert getattr(namespace, "__serial_namespace__", False)


@pytest.mark.parametrize(
    "text",
    [
        get_introspection_query(),
        '{ __type(name: "Vehicle") { name } }',
        "{ customer { __typename } ...all } fragment all on Query { ... { __schema { types { name } } } }",
    ],
)
async def test_introspection_can_be_off(text: str) -> None:
    closed = build.build(introspection=False)
    result = await closed.execute(text, context_value=RecordingContext(RIDER))
    assert result.data is None
    assert result.errors
    assert (result.errors[0].extensions or {})["code"] == "INTROSPECTION_DISABLED"


async def test_type_names_are_no_introspection() -> None:
    closed = build.build(introspection=False)
    result = await closed.execute("{ __typename customer { __typename } }", context_value=RecordingContext())
    assert result.data == {"__typename": "Query", "customer": {"__typename": "CustomerQuery"}}


async def test_the_whole_schema_can_be_introspected(schema: build.NimrodSchema) -> None:
    result = await schema.execute(get_introspection_query(input_value_deprecation=True), context_value=RecordingContext())
    assert result.errors is None


@pytest.mark.parametrize(("audience", "other"), [(Audience.CUSTOMER, "ops"), (Audience.OPS, "customer")])
async def test_a_process_of_one_audience_does_not_know_the_other(audience: Audience, other: str) -> None:
    alone = build.build((audience,))
    result = await alone.execute(f"{{ {other} {{ __typename }} }}", context_value=RecordingContext())
    assert result.errors
    assert (result.errors[0].extensions or {})["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_an_error_is_masked_once(schema: build.NimrodSchema, caplog: pytest.LogCaptureFixture) -> None:
    await schema.execute("{ customer { metros { id } } }", context_value=RecordingContext())
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == ["schema.masking"]
