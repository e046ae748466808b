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

from leat.assets.pushdown import Key, Reached, near, push
from leat.pipelines.declare.sql_file import SqlFile
from leat.pipelines.declare.transpile import as_postgres, made_equal
from leat.warehouse.dialect import DialectName
from leat.warehouse.session import quote

_DIALECTS: tuple[DialectName, ...] = ("duckdb", "postgres")

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
class Way:
    """One way that leads from rows of a table to values of the grain.

    Attributes:
        values: SQL for the value of each column of the grain, per dialect.
        input: the place in :attr:`Grain.inputs`; None if the table is read whole somewhere else.
        is_key: whether the values have the whole key of the table, so that no two rows have the same ones.
        near: for each column of the grain, the column that its value is a time near to, and by how many days; None for
            any other value.
    """

    values: Mapping[DialectName, tuple[str, ...]]
    input: int | None
    is_key: bool
    near: tuple[tuple[str, int] | None, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the query that the filter reaches.

    Attributes:
        mark: what the text of the query has in place of the table.
        table: the table, ``schema.table``.
        source: the table in SQL, per dialect.
        ways: the filters that arrive there; a row counts if it fits one of them.
    """

    mark: str
    table: str
    source: Mapping[DialectName, str]
    ways: tuple[Way, ...]


@dataclass(frozen=True, slots=True)
class Grain:
    """How the rows of a model are built of the rows of its inputs.

    Attributes:
        columns: the columns of the grain.
        inputs: the keyed inputs; one may be here twice, if the query reads it by two ways.
        query: the query with a mark in each place, per dialect.
        places: the places; :mod:`leat.assets.touched_rows` says what to read there.
        needed: whether a row of the model needs a row in at least one of the places.
    """

    columns: tuple[str, ...]
    inputs: tuple[KeyedInput, ...]
    query: Mapping[DialectName, str]
    places: tuple[Place, ...]
    needed: bool

    def alone(self, table: str) -> bool:
        """Return whether rows of the model come from one row each of a table's key, and of no other keyed input."""
        return all(way.is_key and way.input is not None for place in self.places for way in place.ways) and [
            each.table for each in self.inputs
        ] == [table]


def column_of(number: int) -> str:
    """Return what a column of the grain is called in leat's temporary tables, by its place from 1 on."""
    return f"leat_{number}"


class NoGrain(Exception):
    """The rows of a model can't be built by a grain; the text says why."""


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
    places = _places(reached, inputs, keys)
    return Grain(tuple(columns), inputs, _marked(query, reached, places), places, reached.needed)


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


def _places(reached: Reached, inputs: Sequence[KeyedInput], keys: Keys) -> tuple[Place, ...]:
    places = []
    for number, (node, alternatives) in enumerate(reached.tables):
        table = f"{node.db}.{node.name}"
        source = quote(node.db, node.name)
        ways = tuple(_way(table, key, inputs, keys.get(table, ())) for key in alternatives)
        places.append(Place(quote(f"leat_input_{number}"), table, {"duckdb": source, "postgres": source}, ways))
    return tuple(places)


def _way(table: str, key: Key, inputs: Sequence[KeyedInput], columns: Sequence[str]) -> Way:
    values = {dialect: tuple(_texts(key, dialect)) for dialect in _DIALECTS}
    listed = _values(key, "duckdb")
    same = (n for n, each in enumerate(inputs) if (each.table, each.values["duckdb"]) == (table, listed))
    bare = {each.name for each in key if isinstance(each, exp.Column)}
    return Way(values, next(same, None), bool(columns) and bare >= set(columns), tuple(map(near, key)))


def _marked(query: exp.Query, reached: Reached, places: Sequence[Place]) -> dict[DialectName, str]:
    """Return the query with the mark of each place: what is read there is text, the same in each dialect."""
    for place, (node, _) in zip(places, reached.tables, strict=True):
        node.replace(exp.Table(this=exp.to_identifier(place.mark[1:-1], quoted=True), alias=node.args["alias"]))
    return {
        "duckdb": made_equal(query).sql("duckdb", identify=True, comments=False),
        "postgres": as_postgres(query).sql("postgres", identify=True, comments=False),
    }
