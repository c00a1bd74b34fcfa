"""Holds what is asked of monday.com to the vendor's own schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from graphql import GraphQLSchema, build_schema, parse, validate
from graphql.execution.values import get_variable_values

Json = dict[str, Any]


@cache
def vendors(description: Path) -> GraphQLSchema:
    return build_schema(description.read_text("utf-8"))


class MondayJudge:
    """Give it to `Monday(judge=…)`; afterwards `complaints` is to be empty, and `judged` is not."""

    def __init__(self, description: Path) -> None:
        self._schema = vendors(description)
        self.complaints: list[str] = []
        self.judged: set[str] = set()

    def __call__(self, query: str, variables: Json) -> None:
        if query not in self.judged:
            self.judged.add(query)
            self.complaints += [f"{error.message} in {query}" for error in validate(self._schema, parse(query))]
        for operation in parse(query).definitions:
            wrong = get_variable_values(self._schema, operation.variable_definitions or (), variables)  # type: ignore[attr-defined]  # each query is one operation
            if isinstance(wrong, list):
                self.complaints += [f"{error.message} in {query}" for error in wrong]
