"""The fake monday.com is held to the vendor's own schema, and so is every query that the connector can send."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    parse,
    validate,
)

from connectors.fakes.monday.schema import schema
from connectors.monday import queries
from tests.fakes.monday_judge import MondayJudge, vendors

ITEMS = (queries.PLAIN, queries.SUBITEM, queries.MULTI_LEVEL)
QUERIES = {
    "me": queries.ME,
    "boards": queries.BOARDS,
    "labels": queries.LABELS,
    "states": queries.STATES,
    "tag": queries.TAG,
    "add a column": queries.ADD_COLUMN,
    "write one": queries.write(1),
    "write many": queries.write(25),
    **{f"first page {number}": queries.first_page(item) for number, item in enumerate(ITEMS)},
    **{f"next page {number}": queries.next_page(item) for number, item in enumerate(ITEMS)},
}


@pytest.fixture
def description(specs: Path) -> Path:
    return specs / "monday" / "schema-2026-10.graphql"


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_one_of_the_vendor_s_schema(name: str, description: Path) -> None:
    assert validate(vendors(description), parse(QUERIES[name])) == []


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_one_that_the_fake_knows(name: str) -> None:
    assert validate(schema(), parse(QUERIES[name])) == []


def test_no_value_stands_in_the_text_of_a_query() -> None:
    """What varies are variables, so that no name of a person or tag can end a query and begin another."""
    assert not [name for name, text in QUERIES.items() if '"' in text or "'" in text]


def test_the_fake_promises_nothing_that_the_vendor_does_not(description: Path) -> None:
    assert list(more(schema(), vendors(description))) == []


def test_what_the_fake_would_promise_beyond_is_noticed(description: Path) -> None:
    schemas = schema(), vendors(description)
    assert list(more(schemas[1], schemas[0])), "the vendor's schema is larger than the fake's"


def test_a_query_that_is_none_of_the_vendor_s_is_noticed(description: Path) -> None:
    judge = MondayJudge(description)
    judge("query ($ids: [ID!]) { boards(ids: $ids) { id } }", {"ids": ["1"]})
    assert judge.complaints == []
    judge("query { boards { id key } }", {})
    judge("query ($limit: Int!) { boards(limit: $limit) { id } }", {"limit": "many"})
    assert len(judge.complaints) == 2


def more(ours: GraphQLSchema, theirs: GraphQLSchema) -> Iterator[str]:
    """Whatever one schema has and the other has not, or has of another type."""
    for name, kind in ours.type_map.items():
        if name.startswith("__"):
            continue
        other = theirs.type_map.get(name)
        if other is None or type(other) is not type(kind):
            yield name
        else:
            yield from more_of(name, kind, other)


def more_of(name: str, kind: GraphQLNamedType, other: GraphQLNamedType) -> Iterator[str]:
    if isinstance(kind, GraphQLEnumType) and isinstance(other, GraphQLEnumType):
        yield from (f"{name}.{value}" for value in kind.values.keys() - other.values.keys())
    if isinstance(kind, GraphQLInputObjectType) and isinstance(other, GraphQLInputObjectType):
        for field, one in kind.fields.items():
            if field not in other.fields or str(other.fields[field].type) != str(one.type):
                yield f"{name}.{field}"
    if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
        assert isinstance(other, GraphQLObjectType | GraphQLInterfaceType)
        for field, shown in kind.fields.items():
            if field not in other.fields or str(other.fields[field].type) != str(shown.type):
                yield f"{name}.{field}"
                continue
            there = {each: str(argument.type) for each, argument in other.fields[field].args.items()}
            given = {each: str(argument.type) for each, argument in shown.args.items()}
            yield from (f"{name}.{field}({each})" for each in given if there.get(each) != given[each])
