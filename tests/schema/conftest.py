"""The schema, built once for all tests that only read it."""

from __future__ import annotations

import pytest
from graphql import GraphQLSchema

from domain.actor import Audience
from schema import build


@pytest.fixture(scope="session")
def schema() -> build.NimrodSchema:
    return build.build()


@pytest.fixture(scope="session")
def core(schema: build.NimrodSchema) -> GraphQLSchema:
    return schema._schema


@pytest.fixture(scope="session")
def customer_core() -> GraphQLSchema:
    return build.build((Audience.CUSTOMER,))._schema


@pytest.fixture(scope="session")
def ops_core() -> GraphQLSchema:
    return build.build((Audience.OPS,))._schema
