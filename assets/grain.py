"""Which rows of a model a changed row of an input can concern: what ``grain`` in its header promises, proven.

``grain`` names columns of the result. leat moves a filter on them through the query (:mod:`leat.assets.pushdown`). A
table that it reaches everywhere is *keyed*: its rows have a value of the grain themselves, so a row that changed
concerns the rows of the model with its old and its new value, and no others. Any other table is read whole, and a
change of it rebuilds the model whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from leat.assets.pushdown import Key, Reached, push
from leat.pipelines.declare.sql_file import SqlFile
from leat.pipelines.declare.transpile import as_postgres, made_equal
from leat.warehouse.dialect import DialectName
from leat.warehouse.session import quote

TOUCHED = "leat_touched"
"""A temporary table: the values of the grain whose rows are built again."""

Keys = Mapping[str, Sequence[str]]
"""The key columns of each table whose changed rows leat can name: streams, and models with a grain (no columns)."""


@dataclass(frozen=True, slots=True)
class KeyedInput:
    """A table whose rows have a value of the grain.

    Attributes:
        table: its name, ``schema.table``.
        values: the columns of the grain as a SELECT list over the table, per dialect.
        key: the columns that identify a row of it, where a row may change its value of the grain; else empty.
    """

    table: str
    values: Mapping[DialectName, str]
    key: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grain:
    """How the rows of a model are built of the rows of its inputs.

    Attributes:
        columns: the columns of the grain.
        inputs: the keyed inputs; one may be here twice, if the query reads it by two ways.
        selects: the query that reads of keyed inputs what is touched alone, per dialect: first where no touched value
            has a null, then where one has.
    """

    columns: tuple[str, ...]
    inputs: tuple[KeyedInput, ...]
    selects: Mapping[DialectName, tuple[str, str]]


class NoGrain(Exception):
    """The rows of a model can't be built by a grain; the text says why."""


def column_of(number: int) -> str:
    """Return what a column of the grain is called in leat's temporary tables, by its place from 1 on."""
    return f"leat_{number}"


def is_touched(expressions: Sequence[str], *, nulls: bool) -> str:
    """Return the condition that some expressions are a touched value of the grain; too many are no harm.

    Args:
        expressions: SQL, one for each column of the grain.
        nulls: whether a touched value has a null: then all that have one count.
    """
    names = ", ".join(quote(column_of(number)) for number in range(1, len(expressions) + 1))
    among = f"({', '.join(expressions)}) IN (SELECT {names} FROM {TOUCHED})"
    return f"({among} OR {' OR '.join(f'({each}) IS NULL' for each in expressions)})" if nulls else among


def find_grain(file: SqlFile, query: exp.Query | None, columns: Sequence[str], keys: Keys) -> Grain:
    """Return how a model's rows are built by its grain.

    Args:
        file: the file of the model.
        query: its query, qualified; None if an input isn't declared.
        columns: the columns of the grain.
        keys: see :data:`Keys`.

    Raises:
        NoGrain: that can't be proven.
    """
    if file.overridden:
        msg = "its text for Postgres is written by hand"
        raise NoGrain(msg)
    if query is None:
        msg = "an input isn't declared"
        raise NoGrain(msg)
    if any(table.past for table in file.tables):
        msg = "it reads the past of a table"
        raise NoGrain(msg)
    if query.find(exp.CurrentTimestamp, exp.Anonymous):
        msg = "it reads the clock, or calls a function of leat"
        raise NoGrain(msg)
    if any(each.args.get("recursive") for each in query.find_all(exp.With)):
        msg = "it is recursive"
        raise NoGrain(msg)
    query = query.copy()
    reached = push(query, columns)
    whole = reached.whole | {name for node, _ in reached.tables if (name := f"{node.db}.{node.name}") not in keys}
    inputs = _inputs(reached, whole, keys)
    if not inputs:
        raise NoGrain(_why(reached, whole, file))
    return Grain(tuple(columns), inputs, _filtered(query, reached))


def _why(reached: Reached, whole: set[str], file: SqlFile) -> str:
    if reached.why:
        return reached.why[0]
    listed = ", ".join(sorted(whole & {str(table) for table in file.tables}))
    return f"a changed row doesn't say which rows it concerns, in {listed or 'what it reads'}"


def _inputs(reached: Reached, whole: set[str], keys: Keys) -> tuple[KeyedInput, ...]:
    result: dict[str, KeyedInput] = {}
    for node, alternatives in reached.tables:
        name = f"{node.db}.{node.name}"
        for key in alternatives if name not in whole else ():
            values: dict[DialectName, str] = {"duckdb": _values(key, "duckdb"), "postgres": _values(key, "postgres")}
            read = {column.name for each in key for column in each.find_all(exp.Column)}
            moves = not read <= set(keys[name])
            result[f"{name} {values['duckdb']}"] = KeyedInput(name, values, tuple(keys[name]) if moves else ())
    return tuple(result.values())


def _values(key: Key, dialect: DialectName) -> str:
    return ", ".join(f"{each} AS {quote(column_of(n))}" for n, each in enumerate(_texts(key, dialect), 1))


def _texts(key: Key, dialect: DialectName) -> list[str]:
    select = exp.Select(expressions=[exp.alias_(each.copy(), column_of(n)) for n, each in enumerate(key, 1)])
    made = as_postgres(select) if dialect == "postgres" else made_equal(select)
    return [each.unalias().sql(dialect, identify=True) for each in made.expressions]


def _filtered(query: exp.Query, reached: Reached) -> dict[DialectName, tuple[str, str]]:
    """Return the query with the filter in each place that it reaches, for touched values without nulls, and with.

    The places get names first, because the filter is text: it is the same in each dialect.
    """
    places = [(quote(f"leat_input_{n}"), quote(node.db, node.name)) for n, (node, _) in enumerate(reached.tables)]
    for (mark, _), (node, _) in zip(places, reached.tables, strict=True):
        node.replace(exp.Table(this=exp.to_identifier(mark[1:-1], quoted=True), alias=node.args["alias"]))
    texts: dict[DialectName, str] = {
        "duckdb": made_equal(query).sql("duckdb", identify=True, comments=False),
        "postgres": as_postgres(query).sql("postgres", identify=True, comments=False),
    }
    return {d: (_put(text, places, reached, d, nulls=False), _put(text, places, reached, d, nulls=True))
            for d, text in texts.items()}  # fmt: skip


def _put(text: str, places: Sequence[tuple[str, str]], reached: Reached, dialect: DialectName, *, nulls: bool) -> str:
    for (mark, table), (_, keys) in zip(places, reached.tables, strict=True):
        conditions = dict.fromkeys(is_touched(_texts(key, dialect), nulls=nulls) for key in keys)
        text = text.replace(mark, f"(SELECT * FROM {table} WHERE {' OR '.join(conditions)})")
    return text
