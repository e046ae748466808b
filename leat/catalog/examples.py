"""Example queries of streams and models, written as a person would, that run on DuckDB and Postgres alike."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from leat.pipelines.declare.declaration import Declaration
from leat.sources.stream import Stream

_SHOWN = 6  # columns of an example
# What can't name a column without quotes: reserved, or only for types, in duckdb_keywords() or pg_get_keywords().
_RESERVED = frozenset(
    """
all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case cast
check collate collation column columns concurrently constraint create cross current_catalog current_date
current_role current_schema current_time current_timestamp current_user default deferrable desc describe
distinct do else end except false fetch for foreign freeze from full generated glob grant group having ilike
in initially inner intersect into is isnull join lambda lateral leading left like limit localtime
localtimestamp map natural not notnull null offset on only or order outer overlaps pivot pivot_longer
pivot_wider placing positional primary qualify references returning right select semi session_user show
similar some struct summarize symmetric system_user table tablesample then to trailing true try_cast union
unique unpack unpivot user using variadic verbose when where window with
""".split()  # noqa: SIM905 - a list would take a hundred lines
)


def plain_name(*names: str) -> str:
    """Return a name as a person would write it, quoted only where it has to be; several are joined by dots."""
    return ".".join(name if _is_plain(name) else '"' + name.replace('"', '""') + '"' for name in names)


def stream_example(declaration: Declaration, stream: Stream) -> str:
    """Return a query of the rows of a stream that exist, without personal columns outside the key."""
    others = [c.name for c in declaration.columns(stream) if c.name not in stream.key and not c.personal]
    listed = _listed([*stream.key, *others][: max(_SHOWN, len(stream.key))])
    table = plain_name(declaration.name, stream.name)
    return f"SELECT {listed} FROM {table} WHERE _deleted_at IS NULL ORDER BY {_listed(stream.key)} LIMIT 10"


def history_example(declaration: Declaration, stream: Stream) -> str:
    """Return a query of how often each row of a stream has changed."""
    key, table = _listed(stream.key), plain_name(declaration.name, f"{stream.name}_history")
    counted = f"SELECT {key}, COUNT(*) AS versions, MAX(valid_from) AS latest FROM {table}"
    return f"{counted} GROUP BY {key} ORDER BY {key} LIMIT 10"


def model_example(name: str, columns: Sequence[str], personal: Collection[str]) -> str:
    """Return a query of the rows of a model, without personal columns where it has others."""
    shown = [column for column in columns if column not in personal] or list(columns)
    return f"SELECT {_listed(shown[:_SHOWN]) or '*'} FROM {plain_name('analytics', name)} LIMIT 10"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(plain_name(name) for name in names)


def _is_plain(name: str) -> bool:
    return name.isascii() and name.isidentifier() and name.islower() and name not in _RESERVED
