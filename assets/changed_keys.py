"""Which values of its grain a model has to be built again for: those that changed rows have, and those that they had.

A row that has got another value is in the table with the new one alone. So where a row may change its value, leat
stores for each row of the input the value that the model was built with, in a table of the schema ``_keys``, which
nobody is granted. A row that is deleted stays in its table, marked, with a new ``_load_id``. Of an input that is a
model, the rows before and after its own rebuild are at hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from leat.assets.grain import Grain, KeyedInput, column_of
from leat.assets.model import Model
from leat.assets.model_inputs import Loads, Since, read_loads, read_since
from leat.assets.touched_rows import INCOMPARABLE, STORED, TOUCHED, Touched, lookup, stored_table
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load.results import RebuiltRows
from leat.warehouse.session import Session, execute_all, literal, quote

_CHANGED = "leat_changed"
_EARLIER = "leat_earlier"
FEW = 1000
"""So many rows are never too many."""
_MOST = 0.2
"""From this share of changed rows of an input on, building all rows costs less."""


class BuildWhole(Exception):
    """The model has to be built whole; the text says why."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What a model's own rebuild has replaced: a temporary table of its rows before and after, and what it was."""

    table: str
    before: str


@dataclass(slots=True)
class Deltas:
    """The deltas of this build, by model, of those that others read by their grain.

    ``rebuilt`` takes the rows that were built of models with checks; None if nobody wants them.
    """

    wanted: frozenset[str]
    of: dict[str, Delta] = field(default_factory=dict)
    rebuilt: dict[str, RebuiltRows] | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a keyed input with their values of the grain.

    Attributes:
        input: the input.
        stored: name of the table of the values that the model was built with.
        changed: name of the temporary table of the rows that have changed.
        earlier: name of the temporary table of what is stored of these rows.
        values: the columns of the values in both.
    """

    input: KeyedInput
    stored: str
    changed: str
    earlier: str
    values: tuple[str, ...]

    @classmethod
    def all_of(cls, model: str, grain: Grain) -> list[Rows]:
        """Return the rows of each keyed input of a model."""
        values = tuple(quote(column_of(number)) for number in range(1, len(grain.columns) + 1))
        return [
            cls(each, stored_table(model, n), f"{_CHANGED}_{n}", f"{_EARLIER}_{n}", values)
            for n, each in enumerate(grain.inputs)
        ]

    def select(self, session: Session, table: str | None = None) -> str:
        """Return the query of the key of each row and its values, of the input or of what has its columns."""
        keys = [quote(column) for column in self.input.key]
        of = table or quote(*self.input.table.split("."))
        return f"SELECT {', '.join([*keys, self.input.values[session.dialect.name]])} FROM {of}"

    def into(self) -> str:
        """Return the quoted name of the table of stored values."""
        return quote(STORED, self.stored)

    def same(self, left: str, right: str) -> str:
        """Return the condition that two aliases are the same row."""
        return " AND ".join(f"{left}.{quote(column)} = {right}.{quote(column)}" for column in self.input.key)


def read_versions(session: Session, model: Model, grain: Grain, versions: Mapping[str, str | None]) -> dict[str, Loads]:
    """Return what each input is now: a stream that is keyed by its loads, any other by its version."""
    keyed = {each.table for each in grain.inputs if not _is_model(each.table)}
    return {
        str(table): read_loads(session, str(table)) if str(table) in keyed else Loads(versions[str(table)], 0)
        for table in model.inputs
    }


def touch(
    session: Session,
    model: Model,
    grain: Grain,
    before: Mapping[str, Loads],
    now: Mapping[str, Loads],
    deltas: Deltas,
) -> Touched:
    """Make the table of touched values of the grain, and return what else is needed.

    Raises:
        BuildWhole: leat can't say which values they are, or they are too many.
    """
    keyed = {each.table for each in grain.inputs}
    other = [name for name in now if name not in keyed and before.get(name) != now[name]]
    if other or before.keys() != now.keys():
        msg = f"{(other or ['an input'])[0]} has changed"
        raise BuildWhole(msg)
    kinds = {column: session.columns(ANALYTICS, model.name).get(column, "") for column in grain.columns}
    if set(kinds.values()) & INCOMPARABLE:
        msg = "its grain has a column of a type that can't be compared"
        raise BuildWhole(msg)
    sinces = {
        name: _read_stream(session, name, before[name])
        for name in keyed
        if before[name] != now[name] and not _is_model(name)
    }
    selects = [
        select
        for rows in Rows.all_of(model.name, grain)
        if before[rows.input.table] != now[rows.input.table]
        for select in _touched(
            session, rows, sinces.get(rows.input.table), before[rows.input.table], deltas, [*kinds.values()]
        )
    ]
    names = [quote(column_of(number)) for number in range(1, len(grain.columns) + 1)]
    cast = ", ".join(
        f"CAST({name} AS {session.dialect.sql_type(kind)}) AS {name}"
        for name, kind in zip(names, kinds.values(), strict=True)
    )
    none = f"SELECT {', '.join(f'NULL AS {name}' for name in names)} LIMIT 0"
    parts = " UNION ALL ".join(f"SELECT {cast} FROM ({select}) AS t" for select in selects or [none])
    session.create_temporary(TOUCHED, f"SELECT DISTINCT {', '.join(names)} FROM ({parts}) AS parts")
    empty = " OR ".join(f"{name} IS NULL" for name in names)
    nulls = session.change(f"DELETE FROM {TOUCHED} WHERE {empty}") > 0
    changed = {name: sinces[name].first if name in sinces else "" for name in keyed if before[name] != now[name]}
    only_new = frozenset(name for name, since in sinces.items() if since.only_new)
    return Touched(model.name, kinds, nulls, changed, only_new)


def _touched(
    session: Session, rows: Rows, since: Since | None, before: Loads, deltas: Deltas, kinds: Sequence[str]
) -> Iterator[str]:
    """Yield queries of the values of the grain that changed rows of an input have, and had."""
    if since is None:
        delta = deltas.of.get(rows.input.table.removeprefix(f"{ANALYTICS}."))
        if delta is None or delta.before != before.newest:
            msg = f"{rows.input.table} was built whole"
            raise BuildWhole(msg)
        session.create_temporary(rows.changed, rows.select(session, delta.table))
    else:
        if rows.input.key and not session.columns(STORED, rows.stored):
            msg = f"what rows of {rows.input.table} were is missing"
            raise BuildWhole(msg)
        session.create_temporary(rows.changed, f"{rows.select(session)} WHERE _load_id >= {literal(since.first)}")
    _check_kinds(session, rows, kinds)
    yield f"SELECT {', '.join(rows.values)} FROM {rows.changed}"
    if rows.input.key and not (since and since.only_new):
        of_changed = f"SELECT s.* FROM {rows.into()} AS s JOIN {rows.changed} AS c ON {rows.same('s', 'c')}"
        session.create_temporary(rows.earlier, of_changed)
        yield f"SELECT {', '.join(rows.values)} FROM {rows.earlier}"


def _read_stream(session: Session, table: str, before: Loads) -> Since:
    """Return what has happened to a stream.

    Raises:
        BuildWhole: that doesn't say which rows have changed, or they are too many.
    """
    since = read_since(session, table, before)
    if since.opaque is not None:
        raise BuildWhole(since.opaque)
    if since.rows > max(FEW, _MOST * since.total):
        msg = f"many rows of {table} have changed"
        raise BuildWhole(msg)
    return since


def _check_kinds(session: Session, rows: Rows, kinds: Sequence[str]) -> None:
    """Refuse to compare a text with anything else: 1 equals '01', but isn't the same text."""
    there = [*session.columns(session.dialect.temporary, rows.changed).values()][-len(kinds) :]
    if any((one == "string") != (other == "string") for one, other in zip(there, kinds, strict=True)):
        msg = f"{rows.input.table} has the grain in another type"
        raise BuildWhole(msg)


def follow(session: Session, model: str, grain: Grain, touched: Touched) -> None:
    """Store the values that changed rows have now, after :func:`touch`; most have the same as before."""
    for rows in Rows.all_of(model, grain):
        if not (rows.input.key and rows.input.table in touched.changed):
            continue
        if rows.input.table not in touched.only_new:
            same = " AND ".join(f"e.{value} IS NOT DISTINCT FROM c.{value}" for value in rows.values)
            there = f"SELECT 1 FROM {rows.earlier} AS e WHERE {rows.same('e', 'c')}"
            session.execute(f"DELETE FROM {rows.changed} AS c WHERE EXISTS ({there} AND {same})")
            if session.execute(f"SELECT 1 FROM {rows.changed} AS c WHERE EXISTS ({there}) LIMIT 1"):
                moved = f"EXISTS (SELECT 1 FROM {rows.changed} AS c WHERE {rows.same('s', 'c')})"
                session.execute(f"DELETE FROM {rows.into()} AS s WHERE {moved}")
        session.execute(f"INSERT INTO {rows.into()} SELECT * FROM {rows.changed}")


def store_all(session: Session, model: str, grain: Grain) -> None:
    """Store the values that the rows of all inputs have now."""
    forget(session, model)
    if any(each.key for each in grain.inputs):
        session.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(STORED)}")
    for rows in Rows.all_of(model, grain):
        if rows.input.key and session.columns(*rows.input.table.split(".")):
            session.execute(f"CREATE TABLE {rows.into()} AS {rows.select(session)}")
            kinds = session.columns(STORED, rows.stored)
            values = lookup(session.dialect, rows.values, [kinds[value[1:-1]] for value in rows.values])
            for indexed in (map(quote, rows.input.key), values) if values else ():
                session.execute(f"CREATE INDEX ON {rows.into()} ({', '.join(indexed)})")
            execute_all(session, session.dialect.gather_statistics(rows.into()))


def forget(session: Session, model: str) -> None:
    """Drop what is stored of a model."""
    tables = session.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_name LIKE ?",
        (STORED, f"{model}%"),
    )
    for (table,) in tables:
        if table.rpartition("_")[0] == model:
            session.execute(f"DROP TABLE {quote(STORED, table)}")


def _is_model(table: str) -> bool:
    return table.startswith(f"{ANALYTICS}.")
