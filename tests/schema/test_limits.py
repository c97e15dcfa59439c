"""Documents that would cost too much are refused before they cost anything."""

from __future__ import annotations

import sys
from itertools import count

import pytest
from graphql import GraphQLError

from domain.actor import Audience
from schema import build, documents, limits
from tests.schema.contexts import RIDER, RecordingContext

CALLS = 200_000  # some 0.05 s
WIDE = "query { customer { metros { id name } } }"


async def refusal(schema: build.NimrodSchema, text: str) -> GraphQLError:
    """The one error of an operation that did not run; the work it took to find is bounded."""
    context = RecordingContext(RIDER)
    calls = count()
    sys.setprofile(lambda _frame, event, _argument: next(calls) if event == "call" else None)
    try:
        result = await schema.execute(text, context_value=context)
    finally:
        sys.setprofile(None)
    assert next(calls) < CALLS
    assert result.data is None
    assert not context.has_run
    assert result.errors
    assert len(result.errors) == 1
    assert result.errors[0].extensions
    assert result.errors[0].extensions["code"] == "DOCUMENT_TOO_COSTLY"
    return result.errors[0]


def doubling(levels: int, body: str) -> str:
    """Fragments that each spread the next one twice."""
    spreads = (f"fragment f{n} on CustomerQuery {{ ...f{n + 1} ...f{n + 1} }}" for n in range(levels))
    return f"query {{ customer {{ ...f0 }} }} {' '.join(spreads)} fragment f{levels} on CustomerQuery {{ {body} }}"


async def test_a_million_fields_behind_twenty_fragments_are_counted_without_visiting_them(schema: build.NimrodSchema) -> None:
    assert "1,048,577 fields" in (await refusal(schema, doubling(20, "__typename"))).message


async def test_aliases_behind_fragments_count_as_often_as_they_are_spread(schema: build.NimrodSchema) -> None:
    error = await refusal(schema, doubling(5, "a: __typename"))
    assert error.message == "The operation uses 32 aliases; 30 are allowed."


async def test_aliases_are_limited(schema: build.NimrodSchema) -> None:
    aliases = " ".join(f"a{n}: __typename" for n in range(31))
    await refusal(schema, f"query {{ customer {{ {aliases} }} }}")


async def test_depth_is_limited_through_fragments_and_inline_fragments() -> None:
    small = build.build((Audience.CUSTOMER,), limits.Limits(depth=4))
    deep = (
        "query { ... on Query { customer { ...m } } }"
        " fragment m on CustomerQuery { reservations { nodes { ... { metro { center { lat } } } } } }"
    )
    assert (await refusal(small, deep)).message == "The operation nests 6 levels; 4 are allowed."


async def test_tokens_are_limited(schema: build.NimrodSchema) -> None:
    text = "query { customer {" + " __typename" * 2000 + "} }"
    assert (await refusal(schema, text)).message == "Document contains more than 2000 tokens. Parsing aborted."


@pytest.mark.parametrize(
    "text",
    [
        "query " + "{ a " * 600 + "}" * 600,
        "query { customer { vehicle(id: " + "[" * 990 + "]" * 990 + ") { id } } }",
    ],
)
async def test_a_document_too_deep_to_be_read_is_refused(schema: build.NimrodSchema, text: str) -> None:
    await refusal(schema, text)


async def test_a_fragment_that_spreads_itself_is_named_by_validation(schema: build.NimrodSchema) -> None:
    text = "query { customer { ...a } } fragment a on CustomerQuery { ...b } fragment b on CustomerQuery { ...a }"
    result = await schema.execute(text, context_value=RecordingContext())
    assert result.errors
    assert "Cannot spread fragment" in result.errors[0].message


async def test_a_document_within_the_limits_runs(schema: build.NimrodSchema) -> None:
    context = RecordingContext()
    await schema.execute(WIDE, context_value=context)
    assert context.has_run


def test_only_the_latest_documents_are_remembered(schema: build.NimrodSchema) -> None:
    opened = schema.documents.open(WIDE)
    assert schema.documents.open(WIDE) is opened
    for number in range(documents.CACHE_SIZE):
        schema.documents.open(f"query q{number} {{ __typename }}")
    assert schema.documents.open(WIDE) is not opened
