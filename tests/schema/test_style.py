"""The style of the schema, one test a rule; `schema/README.md` gives the reasons."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_list_type,
    is_non_null_type,
    is_specified_directive,
    is_specified_scalar_type,
)

NAMESPACES = ("CustomerMutation", "OpsMutation")
OPS_WORDS = re.compile(r"\b(ops|staff|dispatch\w*|technician|admin)\b|\b(Ops|Fleet|Dispatch|Staff)[A-Z]\w*", re.IGNORECASE)
DEPRECATION = re.compile(r"^Use `[\w.]+` instead\. Removal on \d{4}-\d{2}-\d{2} UTC\.$")
UNITS = ("Meters", "Seconds", "Minutes", "Percent", "Units", "Kph", "Bytes")
#: numbers whose name is their unit: degrees, counts, ordinals
UNITLESS = {
    "lat",
    "lon",
    "quantity",
    "rating",
    "severity",
    "south",
    "west",
    "north",
    "east",
    "first",
    "capacity",
    "expiresMonth",
    "expiresYear",
    "redemptions",
    "maxRedemptions",
    "count",
    "freeDocks",
    "attempt",
    "attempts",
    "unreadNotifications",
    "devices",
    "recoveryCodesLeft",
    "version",
}
#: words of GBFS and TOMP
STANDARD = {"VehicleType", "SupportType"}
#: chosen by the caller or by a model, so not ids of ours
FOREIGN_IDS = {"clientMessageId", "callId"}


@dataclass(frozen=True)
class Element:
    name: str
    value: Any


def types_of(core: GraphQLSchema) -> list[Any]:
    return [one for one in core.type_map.values() if not one.name.startswith("__") and not is_specified_scalar_type(one)]


def fields_of(core: GraphQLSchema) -> Iterator[Element]:
    """Fields of outputs and inputs."""
    for one in types_of(core):
        for name, field in getattr(one, "fields", {}).items():
            yield Element(f"{one.name}.{name}", field)


def arguments_of(core: GraphQLSchema) -> Iterator[Element]:
    for field in fields_of(core):
        for name, argument in getattr(field.value, "args", {}).items():
            yield Element(f"{field.name}({name})", argument)


def enum_values_of(core: GraphQLSchema) -> Iterator[Element]:
    for one in types_of(core):
        if isinstance(one, GraphQLEnumType):
            for name, value in one.values.items():
                yield Element(f"{one.name}.{name}", value)


def mutations_of(core: GraphQLSchema) -> Iterator[tuple[str, str, GraphQLField]]:
    for namespace in NAMESPACES:
        for name, field in getattr(core.type_map[namespace], "fields", {}).items():
            yield namespace, name, field


def simple_name(element: Element) -> str:
    return element.name.rpartition(".")[2].rpartition("(")[2].rstrip(")")


def everything(core: GraphQLSchema) -> Iterator[Element]:
    yield from (Element(one.name, one) for one in types_of(core))
    yield from fields_of(core)
    yield from arguments_of(core)
    yield from enum_values_of(core)


def test_everything_is_described_by_a_sentence(core: GraphQLSchema) -> None:
    assert [element.name for element in everything(core) if not (element.value.description or "").strip()] == []
    own = [directive for directive in core.directives if not is_specified_directive(directive)]
    assert [directive.name for directive in own if not directive.description] == []


def test_root_fields_say_who_may_use_them(core: GraphQLSchema) -> None:
    roots = ("CustomerQuery", "OpsQuery", *NAMESPACES, "Subscription")
    fields = [field for field in fields_of(core) if field.name.partition(".")[0] in roots]
    assert len(fields) > 20
    assert [field.name for field in fields if not re.search(r" Needs: [A-Za-z, ]+\.$", field.value.description)] == []


def test_a_mutation_takes_one_input_of_its_own_name(core: GraphQLSchema) -> None:
    for namespace, name, field in mutations_of(core):
        stem = name[0].upper() + name[1:]
        allowed = {f"{stem}Input!"} | ({f"Ops{stem}Input!"} if namespace == "OpsMutation" else set())
        assert set(field.args) <= {"input"}, name
        assert {str(argument.type) for argument in field.args.values()} <= allowed, name


def test_a_mutation_answers_a_nullable_result_of_its_own_name(core: GraphQLSchema) -> None:
    for namespace, name, field in mutations_of(core):
        stem = name[0].upper() + name[1:]
        union = field.type
        assert isinstance(union, GraphQLUnionType), f"{name} must be nullable: one crash must not null its neighbors"
        prefix = "Ops" if namespace == "OpsMutation" and union.name.startswith("Ops") else ""
        assert union.name == f"{prefix}{stem}Result"
        members = [member.name for member in union.types]
        assert members[0] == f"{prefix}{stem}Success"
        assert all(member.endswith("Error") for member in members[1:]), union.name
        assert len(members) > 1, f"{union.name} names no error that can be expected"


def test_errors_are_exactly_the_types_that_implement_user_error(core: GraphQLSchema) -> None:
    interface = core.type_map["UserError"]
    assert isinstance(interface, GraphQLInterfaceType)
    named = {one.name for one in types_of(core) if isinstance(one, GraphQLObjectType) and one.name.endswith("Error")}
    assert named == {one.name for one in core.get_possible_types(interface)}
    fields = {name: str(field.type) for name, field in interface.fields.items()}
    assert fields == {"message": "String!", "path": "[String!]"}


def test_reads_answer_no_result_unions(core: GraphQLSchema) -> None:
    for root in ("CustomerQuery", "OpsQuery"):
        for name, field in getattr(core.type_map[root], "fields", {}).items():
            assert not get_named_type(field.type).name.endswith("Result"), name


def test_connections_have_the_shape_that_relay_expects(core: GraphQLSchema) -> None:
    connections = [one for one in types_of(core) if one.name.endswith("Connection")]
    assert connections
    for one in connections:
        node = one.name.removesuffix("Connection")
        shape = {name: str(field.type) for name, field in one.fields.items()}
        assert shape == {"edges": f"[{node}Edge!]!", "nodes": f"[{node}!]!", "pageInfo": "PageInfo!"}
        edge = {name: str(field.type) for name, field in getattr(core.type_map[f"{node}Edge"], "fields", {}).items()}
        assert edge == {"cursor": "String!", "node": f"{node}!"}
    for field in fields_of(core):
        if get_named_type(field.value.type).name.endswith("Connection"):
            assert {name: str(argument.type) for name, argument in field.value.args.items()}.items() >= {
                "first": "Int!",
                "after": "String",
            }.items(), field.name


def test_other_lists_state_their_maximum(core: GraphQLSchema) -> None:
    for one in types_of(core):
        if isinstance(one, (GraphQLInputObjectType, GraphQLUnionType)) or one.name.endswith("Connection"):
            continue
        for name, field in getattr(one, "fields", {}).items():
            if is_non_null_type(field.type) and is_list_type(field.type.of_type):
                assert "first" in field.args or "at most" in field.description, f"{one.name}.{name}"


def test_ids_are_ids_of_nodes(core: GraphQLSchema) -> None:
    for field in [*fields_of(core), *arguments_of(core)]:
        name, kind = simple_name(field), get_named_type(field.value.type).name
        if name == "id" or (name.endswith(("Id", "Ids")) and name not in FOREIGN_IDS):
            assert kind == "ID", field.name
        else:
            assert kind != "ID", field.name
    for one in types_of(core):
        if isinstance(one, GraphQLObjectType) and "id" in one.fields:
            assert "Node" in [interface.name for interface in one.interfaces], one.name
            assert str(one.fields["id"].type) == "ID!"


def test_numbers_carry_their_unit(core: GraphQLSchema) -> None:
    for field in [*fields_of(core), *arguments_of(core)]:
        if get_named_type(field.value.type).name in ("Int", "Float"):
            name = simple_name(field)
            assert name in UNITLESS or name.endswith(UNITS), f"{field.name} says no unit"


def test_booleans_are_questions(core: GraphQLSchema) -> None:
    for field in fields_of(core):
        if get_named_type(field.value.type).name == "Boolean":
            assert re.match(r"(is|has|viewerCan)[A-Z]", simple_name(field)), field.name


def test_names_have_no_filler(core: GraphQLSchema) -> None:
    for one in types_of(core):
        assert re.fullmatch(r"[A-Z][A-Za-z]*", one.name)
        assert not one.name.endswith(("Type", "Enum", "Payload", "Interface")) or one.name in STANDARD, one.name
        assert isinstance(one, GraphQLInputObjectType) == one.name.endswith("Input"), one.name
    for field in [*fields_of(core), *arguments_of(core)]:
        assert re.fullmatch(r"(?!get[A-Z])[a-z][A-Za-z]*", simple_name(field)), field.name
    for value in enum_values_of(core):
        assert re.fullmatch(r"[A-Z][A-Z0-9_]*", simple_name(value)), value.name


def test_a_choice_is_declared_as_one(core: GraphQLSchema) -> None:
    for one in types_of(core):
        if isinstance(one, GraphQLInputObjectType) and not one.extensions["strawberry-definition"].is_one_of:
            required = [field for field in one.fields.values() if isinstance(field.type, GraphQLNonNull)]
            stays = "What is left out stays as it is." in (one.description or "")
            narrows = one.name.endswith("FilterInput")
            assert required or stays or narrows, f"{one.name} requires nothing: if it is a choice, declare @oneOf"


def test_what_is_deprecated_names_its_successor_and_its_last_day(core: GraphQLSchema) -> None:
    reasons = [getattr(element.value, "deprecation_reason", None) for element in everything(core)]
    assert [reason for reason in reasons if reason is not None and not DEPRECATION.match(reason)] == []
    assert DEPRECATION.match("Use `Vehicle.position` instead. Removal on 2027-03-01 UTC.")
    assert not DEPRECATION.match("Do not use")


def test_every_item_of_a_stream_can_be_resumed_from(core: GraphQLSchema) -> None:
    assert core.subscription_type is not None
    for name, field in core.subscription_type.fields.items():
        union = get_named_type(field.type)
        assert re.match(r"(customer|ops)[A-Z]", name), name
        assert isinstance(union, GraphQLUnionType)
        assert "ResyncRequired" in [member.name for member in union.types]
        assert all("StreamEvent" in [interface.name for interface in member.interfaces] for member in union.types)
        assert str(field.args["after"].type) == "String"


def reachable(core: GraphQLSchema, roots: list[Any]) -> set[str]:
    """Names of types that fields, arguments, unions and interfaces lead to."""
    found: set[str] = set()
    waiting = [get_named_type(root) for root in roots]
    while waiting:
        one = waiting.pop()
        if one.name in found:
            continue
        found.add(one.name)
        for field in getattr(one, "fields", {}).values():
            waiting.append(get_named_type(field.type))
            waiting.extend(get_named_type(argument.type) for argument in getattr(field, "args", {}).values())
        waiting.extend(getattr(one, "interfaces", ()))
        if isinstance(one, GraphQLUnionType):
            waiting.extend(one.types)
    return found


def test_nothing_of_ops_is_reachable_from_the_customer_namespace(core: GraphQLSchema, customer_core: GraphQLSchema) -> None:
    assert core.subscription_type is not None
    streams = [field.type for name, field in core.subscription_type.fields.items() if name.startswith("customer")]
    found = reachable(core, [core.type_map["CustomerQuery"], core.type_map["CustomerMutation"], *streams])
    assert "Vehicle" in found
    assert [name for name in found if OPS_WORDS.search(name) or name == "Role"] == []
    assert {one.name for one in types_of(customer_core)} - found <= {"Query", "Mutation", "Subscription", "JSON"}


def test_the_customer_schema_does_not_even_mention_ops(customer_core: GraphQLSchema) -> None:
    for element in everything(customer_core):
        assert not OPS_WORDS.search(element.name), element.name
        assert not OPS_WORDS.search(element.value.description), f"{element.name}: {element.value.description}"


def test_the_ops_schema_has_no_customer_namespace(ops_core: GraphQLSchema) -> None:
    assert not [one.name for one in types_of(ops_core) if one.name.startswith("Customer") or "Chat" in one.name]
