"""The JSON Schema of a declaration, from which editors complete keys and mark mistakes while one is written.

It is made from the models that validate: the sources and drivers that exist, the connection of each driver, the
streams of each source. ``pipelines/schema.json`` is the schema of what leat brings; the first line of a declaration
names it: ``# yaml-language-server: $schema=schema.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from leat.pipelines.declare.declaration import Check, Declaration
from leat.sources.driver import driver_names, load_driver, load_streams, source_names

SCHEMA_FILE = Path(__file__).parents[1] / "schema.json"
_DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def json_schema() -> Schema:
    """Return the JSON Schema (draft 2020-12) of a declaration, for the sources that exist."""
    schema: Schema = Declaration.model_json_schema(mode="validation")
    definitions: Schema = schema.pop("$defs")
    del definitions["ConnectionModel"]
    properties: Schema = schema["properties"]
    for engine_sets_it in ("name", "path"):
        del properties[engine_sets_it]
    properties["source"]["enum"] = source_names()
    properties["connection"] = {"description": properties["connection"]["description"]}
    properties["streams"] = {"description": properties["streams"]["description"], "type": ["object", "null"]}
    kinds = [name for name in Check.model_fields if name != "severity"]
    definitions["Check"]["oneOf"] = [{"required": [name]} for name in kinds]
    cases = [case for source in source_names() for case in _cases(source, definitions)]
    whole = without_titles({**schema, "required": ["source", "driver"], "allOf": cases, "$defs": definitions})
    return {"$schema": _DRAFT, "title": "A leat declaration", **whole}


def schema_text() -> str:
    """Return the schema as ``pipelines/schema.json`` has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _cases(source: str, definitions: Schema) -> list[Schema]:
    """Return what holds for one source, then what holds for each of its drivers; adds to the definitions."""
    streams = {
        stream.name: {"description": stream.description, "anyOf": [_ref("StreamOptions"), {"type": "null"}]}
        for stream in load_streams(source)
    }
    drivers = driver_names(source)
    others = False if streams else {"anyOf": [_ref("StreamOptions"), {"type": "null"}]}  # named by the connection
    then = {
        "driver": {"enum": drivers},
        "streams": {"properties": streams, "additionalProperties": others},
    }
    cases: list[Schema] = [_case({"source": source}, {"properties": then})]
    for driver in drivers:
        connection = _connection(source, driver, definitions)
        needed = {"required": ["connection"]} if connection.get("required") else {}
        accepted: Schema = _ref(f"{source}.{driver}")
        if not needed:
            accepted = {"anyOf": [accepted, {"type": "null"}]}
        then = {"connection": accepted}
        cases.append(_case({"source": source, "driver": driver}, {"properties": then, **needed}))
    return cases


def connection_schema(source: str, driver: str, references: str = "#/$defs/{model}") -> Schema:
    """Return the JSON Schema of a driver's ``connection:``; ``references`` is how it refers to its own definitions."""
    return load_driver(source, driver).Connection.model_json_schema(mode="validation", ref_template=references)


def _connection(source: str, driver: str, definitions: Schema) -> Schema:
    """Add the models of a driver's connection to the definitions, under the driver's name; return the outer one."""
    connection = connection_schema(source, driver, f"#/$defs/{source}.{driver}.{{model}}")
    for name, nested in connection.pop("$defs", {}).items():
        definitions[f"{source}.{driver}.{name}"] = nested
    definitions[f"{source}.{driver}"] = connection
    return connection


def _case(given: dict[str, str], then: Schema) -> Schema:
    properties = {key: {"const": value} for key, value in given.items()}
    return {"if": {"properties": properties, "required": list(given)}, "then": then}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def without_titles(schema: Any) -> Any:
    """Return a schema without the titles that pydantic makes of class names: editors would show them."""
    if isinstance(schema, list):
        return [without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: without_titles(item) for key, item in schema.items() if key != "title" or not isinstance(item, str)}


if __name__ == "__main__":
    sys.stdout.write(schema_text())
