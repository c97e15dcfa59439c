"""Sharing: the same subscription of the same scope, whatever the cursor; anything else runs for itself."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from domain.actor import Actor
from schema.build import build
from tests.schema.contexts import ADMIN, DISPATCHER, RIDER, TECHNICIAN

SCHEMA = build()
FIELD = "opsDispatchUpdates(metroId: $m, after: $c) { __typename }"
DOCUMENT = f"subscription($m: ID!, $c: String) {{ {FIELD} }}"


def share(query: str = DOCUMENT, who: Actor | None = ADMIN, name: str | None = None, /, **variables: Any) -> Any:
    return SCHEMA.share(query, variables, name, who)


def test_the_cursor_is_everybodys_own() -> None:
    fresh, resuming = share(m="1"), share(m="1", c="cursor")
    assert fresh == resuming is not None
    assert [SCHEMA.cursor_of(fresh, given) for given in ({"c": "x"}, {"c": None}, {})] == ["x", None, None]


def test_other_variables_documents_names_and_scopes_are_other_streams() -> None:
    others = [
        share(m="2"),
        share(DOCUMENT + " ", m="1"),
        share(f"subscription A($m: ID!, $c: String) {{ {FIELD} }}", ADMIN, "A", m="1"),
        share(DOCUMENT, DISPATCHER, m="1"),
        share(DOCUMENT, TECHNICIAN, m="1"),
    ]
    assert len({share(m="1"), *others}) == 6
    assert None not in others


@pytest.mark.parametrize(
    "query",
    [
        "subscription($m: ID!, $c: String!) { opsDispatchUpdates(metroId: $m, after: $c) { __typename } }",
        'subscription($m: ID!, $c: String = "x") { opsDispatchUpdates(metroId: $m, after: $c) { __typename } }',
        'subscription($m: ID!) { opsDispatchUpdates(metroId: $m, after: "x") { __typename } }',
        "subscription($m: ID!) { ...F } fragment F on Subscription { opsDispatchUpdates(metroId: $m) { __typename } }",
        "query($m: ID!) { ops { metro(id: $m) { id } } }",
        "subscription { nothing }",
        "{",
    ],
)
def test_what_says_more_than_the_plain_field_runs_for_itself(query: str) -> None:
    assert share(query, ADMIN, m="1") is None


CHAT = "subscription($m: ID!) { customerChatEvents(conversationId: $m) { __typename } }"
OWN = "subscription($c: String) { customerReservationChanged(after: $c) { __typename } }"

TRIP = "subscription($c: String) { customerTripChanged(after: $c) { __typename } }"


@pytest.mark.parametrize(("query", "given"), [(CHAT, {"m": "1"}), (OWN, {"c": "x"}), (TRIP, {"c": "x"})])
def test_a_personal_stream_is_shared_by_one_account_alone(query: str, given: dict[str, str]) -> None:
    elsewhere, other = replace(RIDER, session_id=uuid4()), replace(RIDER, account_id=uuid4())
    assert share(query, RIDER, **given) == share(query, elsewhere, **given) is not None
    assert share(query, other, **given) not in (share(query, RIDER, **given), None)


def test_a_shared_execution_belongs_to_nobody_and_a_personal_one_to_its_account() -> None:
    assert ADMIN.as_service() == replace(ADMIN, session_id=uuid4(), account_id=uuid4()).as_service()
    assert RIDER.as_service(of_account=True).account_id == RIDER.account_id


def test_who_may_not_see_it_and_what_cannot_be_written_down_share_nothing() -> None:
    assert [share(DOCUMENT, who, m="1") for who in (None, RIDER)] == [None, None]
    assert [share(m=value) for value in ("\ud800", 2**70, math.inf, math.nan)] == [None] * 4
