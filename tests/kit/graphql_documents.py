"""Writes a request of GraphQL for each mutation of a schema, with the least that it takes."""

from __future__ import annotations

from collections.abc import Mapping

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    is_required_input_field,
)

_SCALARS = {"Int": "1", "Float": "1.0", "Boolean": "true"}


def mutations_of(schema: GraphQLSchema, named: Mapping[str, str]) -> dict[str, str]:
    """Return a document for each mutation, by its name.

    Args:
        schema: of the server.
        named: texts of arguments by their names; other texts are `x`.
    """
    assert schema.mutation_type is not None
    return {name: _document(name, field, named) for name, field in schema.mutation_type.fields.items()}


def _document(name: str, field: GraphQLField, named: Mapping[str, str]) -> str:
    given = [f"{each}: {_value(each, argument.type, named)}" for each, argument in field.args.items()
             if is_required_argument(argument) or each in {"executionParams", "reexecutionParams"}]  # fmt: skip
    arguments = f"({', '.join(given)})" if given else ""
    selected = "" if is_leaf_type(get_named_type(field.type)) else "{ __typename }"
    return f"mutation {{ {name}{arguments} {selected} }}"


def _value(name: str, kind: GraphQLInputType, named: Mapping[str, str]) -> str:
    if isinstance(kind, GraphQLNonNull):
        return _value(name, kind.of_type, named)
    if isinstance(kind, GraphQLList):
        return f"[{_value(name, kind.of_type, named)}]"
    if isinstance(kind, GraphQLInputObjectType):
        fields = [f"{each}: {_value(each, field.type, named)}" for each, field in kind.fields.items()
                  if is_required_input_field(field) or each in named]  # fmt: skip
        return f"{{{', '.join(fields)}}}"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    return _SCALARS.get(kind.name, f'"{named.get(name, "x")}"')
