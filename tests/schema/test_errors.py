"""What the business refuses and what the public sees of it are one list."""

from __future__ import annotations

import pytest
from graphql import GraphQLInterfaceType, GraphQLSchema

from domain import errors as domain_errors
from domain.errors import DomainError
from schema import errors


def leaves() -> set[type[DomainError]]:
    return set(DomainError.__subclasses__())


def test_every_domain_error_has_a_type_or_a_code() -> None:
    assert leaves() == errors.TYPES.keys() | errors.CODES.keys()


def test_no_domain_error_is_a_subclass_of_another() -> None:
    assert [one.__name__ for one in leaves() if one.__subclasses__()] == []


def test_the_type_of_an_error_has_its_name() -> None:
    for exception_type, error_type in errors.TYPES.items():
        assert error_type.__name__ == f"{exception_type.__name__}Error"


def test_every_error_type_is_the_type_of_a_domain_error(core: GraphQLSchema) -> None:
    interface = core.type_map["UserError"]
    assert isinstance(interface, GraphQLInterfaceType)
    published = {one.name for one in core.get_possible_types(interface)}
    assert published == {error_type.__name__ for error_type in errors.TYPES.values()}


def test_every_error_type_is_a_member_of_a_result(core: GraphQLSchema) -> None:
    members = {
        member.name
        for one in core.type_map.values()
        if one.name.endswith("Result") and one.ast_node is None
        for member in getattr(one, "types", ())
    }
    assert {error_type.__name__ for error_type in errors.TYPES.values()} <= members


def test_the_tree_in_the_docstring_names_every_error() -> None:
    drawn = domain_errors.__doc__ or ""
    assert [one.__name__ for one in leaves() if f"─ {one.__name__}" not in drawn] == []


@pytest.mark.parametrize("one", sorted(leaves(), key=str))
def test_an_error_speaks_a_sentence_of_its_own(one: type[DomainError]) -> None:
    sentence = (one.__doc__ or "").strip()
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_one_handler_a_type() -> None:
    assert [vars(type(handler))["exception_type"] for handler in errors.handlers()] == list(errors.TYPES)
