"""JSON Schemas in words, and tables in Markdown: what the pages made from code share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]


def fields(schema: Schema) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, what may be written, default and meaning of the keys of a JSON Schema; nested ones with a dot."""
    for name, field in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        default = "required" if required else _written(field.get("default"))
        yield f"`{name}`", _kind(field, schema), default, field.get("description", "")
        for where, model in _models(field, schema):
            for key, kind, needed, text in fields({**model, "$defs": schema.get("$defs", {})}):
                yield f"`{name}{where}.{key.strip('`')}`", kind, needed, text


def _models(field: Schema, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the models that a field is made of, and what is written between their keys and the field's."""
    places = {"": field, "[]": field.get("items", {}), ".NAME": field.get("additionalProperties")}
    for where, place in places.items():
        parts = place if isinstance(place, dict) else {}
        if "oneOf" in parts:
            yield where, _united([_resolved(part, schema) for part in parts["oneOf"]])
        for part in (parts, *parts.get("anyOf", ())):
            if "$ref" in part and not part["$ref"].endswith("/Named"):
                yield where, _resolved(part, schema)


def _resolved(part: Schema, schema: Schema) -> Schema:
    model: Schema = schema["$defs"][part["$ref"].rsplit("/", maxsplit=1)[-1]]
    return model


def _united(models: list[Schema]) -> Schema:
    """Return models chosen by ``kind`` as one, whose meanings name the kinds that have a key."""
    kinds = {str(model["properties"]["kind"]["const"]): model["properties"] for model in models}
    fields: dict[str, Any] = {
        "kind": {"enum": list(kinds), "description": "One of these. Parentheses below name the kinds of a key."}
    }
    for key in dict.fromkeys(key for properties in kinds.values() for key in properties if key != "kind"):
        having = [kind for kind, properties in kinds.items() if key in properties]
        field = kinds[having[0]][key]
        fields[key] = {**field, "description": f"{field.get('description', '')} ({', '.join(having)})"}
    needed = {key for model in models for key in model.get("required", ())}
    return {"properties": fields, "required": ["kind", *needed]}


def _kind(field: Schema, schema: Schema) -> str:
    """Return in words what a JSON Schema takes."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", maxsplit=1)[-1]
        return "named" if name == "Named" else "keys"
    if "anyOf" in field:
        kinds = [_kind(part, schema) for part in field["anyOf"] if part.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "oneOf" in field:
        return "keys, by `kind`"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field or (field.keys() == {"pattern", "examples"}):
        return ", ".join(f"`{value}`" for value in field.get("enum", field.get("examples")))
    kind = str(field.get("type", "keys"))
    if kind == "array":
        return f"list of {_kind(field.get('items', {}), schema)}"
    if kind == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"name: {_kind(field['additionalProperties'], schema)}"
    kind = {"date": "date", "date-time": "time"}.get(str(field.get("format")), kind)
    words = {"boolean": "true or false", "integer": "whole number", "string": "text", "object": "keys"}
    return words.get(kind, kind)


def _written(value: Any) -> str:
    if value in (None, "", {}, [], ()):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def listed(names: Iterable[str]) -> str:
    """Return names as code, separated by commas."""
    return ", ".join(f"`{name}`" for name in names)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace('<', '&lt;') for cell in row)} |"
