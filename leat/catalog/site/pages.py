"""The pages of the site as HTML, by path; the same contents always give the same bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from leat.catalog.site.contents import Contents, Entry, Name
from leat.catalog.site.lineage import picture

_TEMPLATES = Path(__file__).parent / "templates"
_ABOUT: Mapping[str, str] = {
    "analytics": "Models: tables that SQL builds from others.",
    "leat": "leat's own tables, written in the same transaction as the change they describe.",
    "catalog": "The content of this site, in SQL.",
}
_DELETES: Mapping[str, str] = {
    "feed": "The source reports deletes; the rows stay, with _deleted_at.",
    "full_scan": "A complete listing proves that a row is gone; it stays, with _deleted_at.",
    "never": "Rows of this table are never deleted.",
}


def pages(
    contents: Contents, suites: Mapping[str, str], actions: Mapping[str, Sequence[Mapping[str, str]]]
) -> Iterator[tuple[str, str]]:
    """Yield path and text of every file of the site.

    Args:
        contents: what the catalog says.
        suites: where the Data Docs of a table are, relative to their folder, by ``schema.table``; none without them.
        actions: the open ones for violations, by their key: ``id``, ``what`` and ``state``.
    """
    environment = _environment(contents)
    environment.globals["has_data_docs"] = bool(suites)
    yield "style.css", (_TEMPLATES / "style.css").read_text(encoding="utf-8")

    def page(template: str, path: str, **values: Any) -> tuple[str, str]:
        return path, environment.get_template(template).render(root="../" * path.count("/"), **values)

    script = Markup((_TEMPLATES / "search.js").read_text(encoding="utf-8"))  # noqa: S704 - a file of leat  # nosec B704
    yield page("index.html", "index.html", entries=_entries(contents), script=script)
    yield page("rules.html", "rules.html")
    groups = [
        (rule, list(rows)) for rule, rows in groupby(contents.rows["open_violations"], key=lambda row: row["rule"])
    ]
    yield page("violations.html", "violations.html", groups=groups, actions=actions)
    for schema, tables in contents.schemas.items():
        fresh = next((contents.freshness.get((schema, table["table_name"])) for table in tables), None)
        yield page("schema.html", f"schemas/{schema}.html", schema=schema, tables=tables, fresh=fresh)
    for name, table in contents.tables.items():
        yield page("table.html", f"tables/{_file(name)}", **_table(contents, name, table, suites))


def _table(contents: Contents, name: Name, table: Entry, suites: Mapping[str, str]) -> dict[str, Any]:
    columns = contents.columns.get(name, [])
    origins = {column["column_name"]: contents.origins.get((*name, column["column_name"]), []) for column in columns}
    return {
        "name": name,
        "table": table,
        "columns": columns,
        "origins": origins if any(origins.values()) else {},
        "fresh": contents.freshness.get(name),
        "checks": contents.checks.get(name, []),
        "rules": contents.rules.get(name, []),
        "reads": contents.reads.get(name, []),
        "read_by": contents.read_by.get(name, []),
        "picture": picture(name, contents.reads, contents.read_by),
        "suite": suites.get(".".join(name)),
        "deletes": _DELETES,
        "loads": contents.loads.get(name, []),
        "query": contents.queries.get(name),
        "sample": contents.samples.get(name),
    }


def _entries(contents: Contents) -> list[tuple[str, str, str]]:
    """Return what can be searched: name, address and description of tables, columns and rules."""
    entries = [
        (".".join(name), f"tables/{_file(name)}", str(table["description"])) for name, table in contents.tables.items()
    ]
    entries += [(rule["title"], f"rules.html#{rule['rule']}", rule["rule"]) for rule in contents.rows["rules"]]
    for name, columns in contents.columns.items():
        for column in columns:
            label = column["column_name"]
            entries.append(
                (f"{'.'.join(name)}.{label}", f"tables/{_file(name)}#{_anchor(label)}", column["description"])
            )
    return entries


def _environment(contents: Contents) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        anchor=_anchor,
        file=_file,
        number=_number,
        time=_time,
        prose=_prose,
        first_sentence=_first_sentence,
        counted=_counted,
    )

    def about(schema: str) -> str:
        integration = contents.integrations.get(schema)
        if integration is None:
            return _ABOUT.get(schema, "")
        read = f"{integration['source']}, read by {integration['driver']}"
        return f"{integration['description']} ({read})" if integration["description"] else read

    environment.globals.update(contents=contents, about=about, open=len(contents.rows["open_violations"]))
    return environment


def _anchor(column: str) -> str:
    """Return the id of a column on its page; models may name columns as they like."""
    return "column-" + re.sub(r"[^\w-]", "-", column)


def _prose(text: str) -> Markup:
    """Return a description in HTML: what is between backticks is code."""
    parts = enumerate(text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if i % 2 else escape(part) for i, part in parts)


def _file(name: Name) -> str:
    return f"{'.'.join(name)}.html"


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _time(value: datetime | None) -> str:
    return "never" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _first_sentence(text: str) -> str:
    head, dot, _ = text.partition(". ")
    return head + dot.strip()
