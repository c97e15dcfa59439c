"""Callers learn a code and what they can mend; nothing of the inside."""

from __future__ import annotations

import json
import logging

import pytest

from domain import errors
from schema import build
from tests.schema.contexts import RIDER, Reached, RecordingContext

METROS = "query { customer { metros { id } } }"


async def error_of(schema: build.NimrodSchema, text: str, failure: Exception) -> dict[str, object]:
    result = await schema.execute(text, context_value=RecordingContext(RIDER, failure))
    assert result.errors
    return {**result.errors[0].formatted}


async def test_what_nobody_expected_leaves_only_an_id(schema: build.NimrodSchema, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        error = await error_of(schema, METROS, Reached("password=hunter2"))
    shown = json.dumps(error)
    assert "hunter2" not in shown
    assert "Reached" not in shown
    extensions = error["extensions"]
    assert isinstance(extensions, dict)
    assert extensions.keys() == {"code", "errorId"}
    assert extensions["code"] == "INTERNAL_SERVER_ERROR"
    masked = [record for record in caplog.records if record.name == "schema.masking"]
    assert [record.__dict__["error_id"] for record in masked] == [extensions["errorId"]]
    assert masked[0].__dict__["request_id"] == "request-1"
    assert masked[0].exc_info
    assert "hunter2" in str(masked[0].exc_info[1])


@pytest.mark.parametrize(
    ("failure", "extensions"),
    [
        (
            errors.InvalidInput.of("input.near", "lat lies between -90 and 90."),
            {"code": "BAD_USER_INPUT", "path": ["input", "near"]},
        ),
        (errors.NotFound(), {"code": "NOT_FOUND"}),
        (errors.TooManyTries(17), {"code": "RATE_LIMITED", "retryAfterSeconds": 17}),
        (errors.OutOfReach(), {"code": "UNAVAILABLE"}),
    ],
)
async def test_expected_errors_outside_a_union_carry_a_code(
    schema: build.NimrodSchema, failure: errors.DomainError, extensions: dict[str, object]
) -> None:
    error = await error_of(schema, METROS, failure)
    assert error["message"] == failure.message
    assert error["extensions"] == extensions


async def test_all_faults_of_a_query_are_named(schema: build.NimrodSchema) -> None:
    text = """query { customer { vehicles(metroId: "metro_x", near: { lat: 1, lon: 1 }, minimumRangeMeters: -1,
        minimumBatteryPercent: 101) { nodes { id } } } }"""
    extensions = (await error_of(schema, text, Reached("")))["extensions"]
    assert isinstance(extensions, dict)
    assert extensions["code"] == "BAD_USER_INPUT"
    assert [issue["path"] for issue in extensions["issues"]] == [["minimumRangeMeters"], ["minimumBatteryPercent"]]


@pytest.mark.parametrize("where", ["", "near: { lat: 1, lon: 1 }, area: { near: { center: { lat: 1, lon: 1 } } },"])
async def test_a_search_says_in_one_way_where_to_look(schema: build.NimrodSchema, where: str) -> None:
    text = f'query {{ customer {{ vehicles(metroId: "metro_x", {where} first: 1) {{ nodes {{ id }} }} }} }}'
    error = await error_of(schema, text, Reached(""))
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "path": ["area"]}
    assert "near with radiusMeters" in str(error["message"])


async def test_an_expected_error_of_a_mutation_is_a_member_of_its_union(schema: build.NimrodSchema) -> None:
    text = """mutation { customer { cancelReservation(input: { reservationId: "nonsense", idempotencyKey: "k" }) {
        __typename ... on UserError { message path } ... on InvalidInputError { issues { message path } } } } }"""
    result = await schema.execute(text, context_value=RecordingContext(RIDER))
    assert result.errors is None
    assert result.data is not None
    answer = result.data["customer"]["cancelReservation"]
    assert answer["__typename"] == "InvalidInputError"
    assert answer["path"] == ["reservationId"]
    assert answer["issues"] == [{"message": answer["message"], "path": ["reservationId"]}]


async def test_an_expected_error_that_the_union_lacks_is_a_coded_error(schema: build.NimrodSchema) -> None:
    text = 'mutation { customer { signIn(input: { email: "a@b.c", password: "p" }) { __typename } } }'
    result = await schema.execute(text, context_value=RecordingContext(None, errors.TooManyTries(5)))
    assert result.data == {"customer": {"signIn": None}}
    assert result.errors
    assert result.errors[0].extensions == {"code": "RATE_LIMITED", "retryAfterSeconds": 5}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("query {", "GRAPHQL_PARSE_FAILED"),
        ("query { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query { customer { vehicle(id: 3.5) { id } } }", "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_documents_that_cannot_run_carry_a_code(schema: build.NimrodSchema, text: str, code: str) -> None:
    error = await error_of(schema, text, Reached())
    assert error["extensions"] == {"code": code}


async def test_a_variable_that_does_not_fit_is_the_callers_fault(schema: build.NimrodSchema) -> None:
    text = "query ($id: ID!) { customer { vehicle(id: $id) { id } } }"
    result = await schema.execute(text, variable_values={"id": {"no": 1}}, context_value=RecordingContext())
    assert result.errors
    assert (result.errors[0].extensions or {})["code"] in ("BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED")
