"""GraphQL of Dagster's UI: queries have a depth, fragments an end, and the schema isn't shown."""

from __future__ import annotations

import pytest

from leat.runs.dagster_graphql import Unreadable, read_operation


def nested(levels: int) -> str:
    return "query { " + "a { " * levels + "b" + " }" * levels + " }"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (nested(41), "nested deeper than 40 levels"),
        (nested(5_000), "nested too deeply|nested deeper"),
        ("query { ...A } fragment A on Q { a { ...A } }", "nested deeper"),
        ("query { ...A } fragment A on Q { a { ...B } } fragment B on Q { b { ...A } }", "nested deeper"),
        ("query { " + "a " * 30_000 + "}", "token"),
        ("query { __schema { types { name } } }", "the schema isn't shown here"),
        ('query { x: __type(name: "Run") { name } }', "the schema isn't shown here"),
        ("query { ...A } fragment A on Q { __schema { types { name } } }", "the schema isn't shown here"),
    ],
    ids=["deep", "deepest", "itself", "each other", "long", "schema", "type", "by a fragment"],
)
def test_a_query_that_costs_much_or_tells_much_is_refused(query: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_operation({"query": query})


def test_what_pages_ask_passes() -> None:
    assert read_operation({"query": nested(38)}).fields == ("a",)
    doubling = "query { ...A0 } " + " ".join(
        f"fragment A{n} on Q {{ a {{ ...A{n + 1} }} b {{ ...A{n + 1} }} }}" for n in range(20)
    )
    assert read_operation({"query": f"{doubling} fragment A20 on Q {{ c }}"}).fields == ("a", "b")
