"""Writes the pages of docs/ that say what the code says: a page per source and per verb, and keys of declarations.

    python -m leat.catalog.document [--check]

``docs/integrations/<source>.md`` is made of ``sources/<source>/streams.py``, the connections of its drivers and the
hand-written ``docs/integrations/how-to/<source>.md``, and ``docs/actions/verbs/`` as :mod:`leat.catalog.verb_pages`
says. In ``docs/declarations.md``, ``docs/warehouse.md`` and ``docs/actions.md`` only what is between
``<!-- generated: name -->`` and ``<!-- end -->`` is written. With ``--check`` nothing is, and the exit code is 1 when a
page is stale.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import leat.sources
from leat.catalog.erasing import erasing_lines
from leat.catalog.schema_words import fields, listed, table
from leat.catalog.verb_pages import verb_index, verb_pages
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


def documented_sources() -> list[str]:
    """Return the sources that leat brings, sorted; those of a project are left out."""
    return sorted(path.parent.name for path in Path(leat.sources.__path__[0]).glob("*/streams.py"))


def pages() -> dict[Path, str]:
    """Return the text of every page that is written, whole or in part."""
    folder = DOCS / "integrations"
    written = {folder / f"{source}.md": _page(source) for source in documented_sources()}
    written[folder / "README.md"] = _index()
    written |= verb_pages(DOCS / "actions" / "verbs", documented_sources())
    for path in (DOCS / "declarations.md", DOCS / "warehouse.md", DOCS / "actions.md"):
        text = path.read_text(encoding="utf-8")
        written[path] = _REGION.sub(lambda match: match[1] + "\n".join(_REGIONS[match[2]]()) + "\n" + match[3], text)
    return written


def stale() -> list[Path]:
    """Return the pages whose file isn't what the code says."""
    return [path for path, text in pages().items() if not path.exists() or path.read_text(encoding="utf-8") != text]


def _index() -> str:
    rows = [
        (
            f"[{source}]({source}.md)",
            ", ".join(driver_names(source)),
            listed(s.name for s in load_streams(source)) or "the ones that you declare",
        )
        for source in documented_sources()
    ]
    intro = (
        "A source is a kind of system, with its streams. A driver reads one vendor or protocol into these streams. An\n"
        "[integration](../declarations.md) is one system that you declare, with its source and driver."
    )
    return "\n".join(["# Integrations", "", intro, "", *table(("source", "drivers", "streams"), rows), ""])


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
        "The keys of `connection:`. A *named* value is `{env: NAME}`, `{file: path}` or `{secret: NAME}`.",
        "",
    ]
    for driver in driver_names(source):
        schema = load_driver(source, driver).Connection.model_json_schema()
        lines += [f"### driver: {driver}", "", *table(("key", "value", "default", "meaning"), fields(schema)), ""]
    if not streams:
        return "\n".join([*lines, "## Streams", "", *_DECLARED]) + "\n"
    overview = [(f"[{s.name}](#{s.name})", s.description, s.deletes) for s in streams]
    lines += ["## Streams", "", *table(("stream", "a row is", "deletes"), overview), ""]
    lines += ["Every stream also has the [system columns](../warehouse.md#system-columns)."]
    for stream in streams:
        lines += ["", *_stream(stream)]
    return "\n".join(lines) + "\n"


def _stream(stream: Stream) -> Iterator[str]:
    yield from (f"### {stream.name}", "", stream.description, "")
    yield f"- Key: {listed(stream.key)}"
    yield f"- Deletes: {_DELETES[stream.deletes]}"
    if stream.version:
        yield f"- Version: `{stream.version}`; the highest version wins, in whatever order rows arrive"
    yield f"- Schema version: {stream.schema_version}"
    yield from (f"- {quirk}" for quirk in stream.quirks)
    yield from erasing_lines(stream)
    yield ""
    rows = [(f"`{c.name}`", c.type, "yes" if c.personal else "", c.description) for c in stream.all_columns()]
    yield from table(("column", "type", "personal", "meaning"), rows)


def _model_keys(model: type[Declaration | StreamOptions | Check | Range]) -> Iterator[str]:
    schema = model.model_json_schema()
    schema["properties"] = {key: value for key, value in schema["properties"].items() if key not in ("name", "path")}
    for key in {"connection", "streams", "checks"} & set(schema["properties"]):  # documented elsewhere
        schema["properties"][key] = {"description": model.model_fields[key].description}
    if model is Declaration:  # whether there has to be a connection depends on the driver
        schema["required"] = ["source", "driver"]
    yield from table(("key", "value", "default", "meaning"), fields(schema))


def _types() -> Iterator[str]:
    rows = [(kind, DUCKDB.sql_type(kind), POSTGRES.sql_type(kind)) for kind in (*TYPES, "decimal(18,4)")]
    yield from table(("type", "DuckDB", "Postgres"), rows)


_REGIONS: Mapping[str, Callable[[], Iterator[str]]] = {
    "declaration": lambda: _model_keys(Declaration),
    "stream_options": lambda: _model_keys(StreamOptions),
    "check": lambda: _model_keys(Check),
    "types": _types,
    "verbs": lambda: verb_index(documented_sources()),
}


def main() -> None:
    """Write the pages, or with ``--check`` compare them."""
    changed = stale()
    if "--check" in sys.argv[1:]:
        sys.stdout.writelines(f"{path} is stale; run: python -m leat.catalog.document\n" for path in changed)
        sys.exit(bool(changed))
    for path, text in pages().items():
        if path in changed:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
