"""Writes the pages of docs/ that say what the code says: a page per source, and the keys of a declaration.

    python -m leat.catalog.document [--check]

``docs/integrations/<source>.md`` is made of ``sources/<source>/streams.py``, the connections of its drivers and the
hand-written ``docs/integrations/how-to/<source>.md``. In ``docs/declarations.md`` and ``docs/warehouse.md`` only what
is between ``<!-- generated: name -->`` and ``<!-- end -->`` is written. With ``--check`` nothing is, and the exit code
is 1 when a page is stale.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import leat.sources
from leat.pipelines.declare.declaration import Check, Declaration, Range, StreamOptions
from leat.sources.driver import describe_source, driver_names, load_driver, load_streams
from leat.sources.stream import TYPES, Stream
from leat.warehouse.duckdb.dialect import DUCKDB
from leat.warehouse.postgres.dialect import POSTGRES

DOCS = Path(__file__).parents[2] / "docs"
_DELETES = {
    "feed": "the system reports deletes (`feed`)",
    "full_scan": "a complete listing proves which rows are gone (`full_scan`)",
    "never": "rows are never deleted (`never`)",
}
_DECLARED = (
    "The streams that you declare. Each also has the column `extra`, JSON, with all fields that you don't declare, and",
    "the [system columns](../warehouse.md#system-columns).",
)
_REGION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_Schema = Mapping[str, Any]


def documented_sources() -> list[str]:
    """Return the sources that leat brings, sorted; those of a project are left out."""
    return sorted(path.parent.name for path in Path(leat.sources.__path__[0]).glob("*/streams.py"))


def pages() -> dict[Path, str]:
    """Return the text of every page that is written, whole or in part."""
    folder = DOCS / "integrations"
    written = {folder / f"{source}.md": _page(source) for source in documented_sources()}
    written[folder / "README.md"] = _index()
    for path in (DOCS / "declarations.md", DOCS / "warehouse.md"):
        text = path.read_text(encoding="utf-8")
        written[path] = _REGION.sub(lambda found: found[1] + "\n".join(_REGIONS[found[2]]()) + "\n" + found[3], text)
    return written


def stale() -> list[Path]:
    """Return the pages whose file isn't what the code says."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def _index() -> str:
    rows = [
        (
            f"[{source}]({source}.md)",
            ", ".join(driver_names(source)),
            _listed(s.name for s in load_streams(source)) or "the ones that you declare",
        )
        for source in documented_sources()
    ]
    intro = (
        "A source is a kind of system, with its streams. A driver reads one vendor or protocol into these streams. An\n"
        "[integration](../declarations.md) is one system that you declare, with its source and driver."
    )
    return "\n".join(["# Integrations", "", intro, "", *_table(("source", "drivers", "streams"), rows), ""])


def _page(source: str) -> str:
    how_to = (DOCS / "integrations" / "how-to" / f"{source}.md").read_text(encoding="utf-8").strip()
    streams = load_streams(source)
    lines = [
        f"<!-- Written by `python -m leat.catalog.document` from sources/{source}/ and how-to/{source}.md. -->",
        f"# {source}",
        "",
        describe_source(source),
        "",
        how_to,
        "",
        "## Connection",
        "",
        "The keys of `connection:`. A *named* value is `{env: NAME}` or `{file: path}`.",
        "",
    ]
    for driver in driver_names(source):
        schema = load_driver(source, driver).Connection.model_json_schema()
        lines += [f"### driver: {driver}", "", *_table(("key", "value", "default", "meaning"), _fields(schema)), ""]
    if not streams:
        return "\n".join([*lines, "## Streams", "", *_DECLARED]) + "\n"
    overview = [(f"[{s.name}](#{s.name})", s.description, s.deletes) for s in streams]
    lines += ["## Streams", "", *_table(("stream", "a row is", "deletes"), overview), ""]
    lines += ["Every stream also has the [system columns](../warehouse.md#system-columns)."]
    for stream in streams:
        lines += ["", *_stream(stream)]
    return "\n".join(lines) + "\n"


def _stream(stream: Stream) -> Iterator[str]:
    yield from (f"### {stream.name}", "", stream.description, "")
    yield f"- Key: {_listed(stream.key)}"
    yield f"- Deletes: {_DELETES[stream.deletes]}"
    if stream.version:
        yield f"- Version: `{stream.version}`; the highest version wins, in whatever order rows arrive"
    yield f"- Schema version: {stream.schema_version}"
    yield from (f"- {quirk}" for quirk in stream.quirks)
    yield ""
    rows = [(f"`{c.name}`", c.type, "yes" if c.personal else "", c.description) for c in stream.all_columns()]
    yield from _table(("column", "type", "personal", "meaning"), rows)


def _fields(schema: _Schema) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, what may be written, default and meaning of the keys of a JSON Schema; nested ones with a dot."""
    for name, field in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        default = "required" if required else _written(field.get("default"))
        yield f"`{name}`", _kind(field, schema), default, field.get("description", "")
        for where, model in _models(field, schema):
            for key, kind, needed, text in _fields({**model, "$defs": schema.get("$defs", {})}):
                yield f"`{name}{where}.{key.strip('`')}`", kind, needed, text


def _models(field: _Schema, schema: _Schema) -> Iterator[tuple[str, _Schema]]:
    """Yield the models that a field is made of, and what is written between their keys and the field's."""
    places = {"": field, "[]": field.get("items", {}), ".NAME": field.get("additionalProperties")}
    for where, place in places.items():
        parts = place if isinstance(place, dict) else {}
        if "oneOf" in parts:
            yield where, _united([_found(part, schema) for part in parts["oneOf"]])
        for part in (parts, *parts.get("anyOf", ())):
            if "$ref" in part and not part["$ref"].endswith("/Named"):
                yield where, _found(part, schema)


def _found(part: _Schema, schema: _Schema) -> _Schema:
    model: _Schema = schema["$defs"][part["$ref"].rsplit("/", maxsplit=1)[-1]]
    return model


def _united(models: list[_Schema]) -> _Schema:
    """Return models of which one is chosen by ``kind`` as one, whose meanings tell the kinds that have a key."""
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


def _kind(field: _Schema, schema: _Schema) -> str:
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
        inner = _kind(field["additionalProperties"], schema)
        return f"{'name' if inner == 'keys' else 'column'}: {inner}"
    words = {"boolean": "true or false", "integer": "whole number", "string": "text", "object": "keys"}
    return words.get(kind, kind)


def _written(value: Any) -> str:
    if value in (None, "", {}, [], ()):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _model_keys(model: type[Declaration | StreamOptions | Check | Range]) -> Iterator[str]:
    schema = model.model_json_schema()
    schema["properties"] = {key: value for key, value in schema["properties"].items() if key not in ("name", "path")}
    for key in {"connection", "streams", "checks"} & set(schema["properties"]):  # told elsewhere
        schema["properties"][key] = {"description": model.model_fields[key].description}
    if model is Declaration:  # whether there has to be a connection depends on the driver
        schema["required"] = ["source", "driver"]
    yield from _table(("key", "value", "default", "meaning"), _fields(schema))


def _types() -> Iterator[str]:
    rows = [(kind, DUCKDB.sql_type(kind), POSTGRES.sql_type(kind)) for kind in (*TYPES, "decimal(18,4)")]
    yield from _table(("type", "DuckDB", "Postgres"), rows)


_REGIONS: Mapping[str, Callable[[], Iterator[str]]] = {
    "declaration": lambda: _model_keys(Declaration),
    "stream_options": lambda: _model_keys(StreamOptions),
    "check": lambda: _model_keys(Check),
    "types": _types,
}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|').replace('<', '&lt;') for cell in row)} |"


def main() -> None:
    """Write the pages, or with ``--check`` compare them."""
    found = stale()
    if "--check" in sys.argv[1:]:
        sys.stdout.writelines(f"{path} is stale; run: python -m leat.catalog.document\n" for path in found)
        sys.exit(bool(found))
    for path, text in pages().items():
        if path in found:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
