"""The checks of a table as plain data: those that are declared, and the two that every stream implies.

Names are stable: kind and columns, as ``not_null_email`` or ``foreign_key_charge_id``. Nothing here runs a check, and
Great Expectations isn't imported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from leat.pipelines.declare.declaration import Check, Declaration, Range
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.declare.values import Scalar
from leat.pipelines.load.results import Severity


class CheckName(NamedTuple):
    """A check as definitions show it."""

    name: str
    description: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class TableCheck:
    """One check of one table.

    Attributes:
        name: its name, unique for the table.
        kind: the key by which it is declared.
        description: what must be true, in words.
        severity: see :class:`leat.pipelines.load.results.CheckResult`.
        columns: the columns that it is about.
        values: for accepted_values, the values.
        bounds: for range and row_count, the bounds.
        target: for foreign_key, schema, table and column that must have the value.
    """

    name: str
    kind: str
    description: str
    severity: Severity
    columns: tuple[str, ...] = ()
    values: tuple[Scalar, ...] = ()
    bounds: Range | None = None
    target: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """A table and its checks.

    Attributes:
        schema: its schema.
        table: its name.
        checks: the checks.
        key: the columns that identify a row; evidence always shows them.
        hidden: columns whose values evidence doesn't show: personal and hidden ones that aren't in the key.
        soft_deletes: whether rows that are gone from the source stay, with ``_deleted_at``; they aren't checked.
    """

    schema: str
    table: str
    checks: tuple[TableCheck, ...]
    key: tuple[str, ...] = ()
    hidden: Collection[str] = frozenset()
    soft_deletes: bool = False

    @property
    def subject(self) -> str:
        """The table's name in results."""
        return f"{self.schema}.{self.table}"


def check_names(declaration: Declaration) -> dict[str, list[CheckName]]:
    """Return the checks of each selected stream, in the order of :func:`leat.quality.audit.audit`."""
    return {
        table.table: [CheckName(check.name, check.description, check.severity) for check in table.checks]
        for table in stream_checks(declaration)
    }


def stream_checks(declaration: Declaration) -> list[CheckedTable]:
    """Return the selected streams of an integration with their checks."""
    return [
        CheckedTable(
            schema=declaration.name,
            table=stream.name,
            checks=tuple(_unique_names([*_implied(stream.key), *_declared(options.checks, declaration.name)])),
            key=stream.key,
            hidden=({c.name for c in stream.columns if c.personal} | declaration.hidden(stream)) - {*stream.key},
            soft_deletes=True,
        )
        for stream in declaration.selected()
        for options in (declaration.options(stream.name),)
    ]


def model_checks(name: str, checks: Sequence[Check], personal: Collection[str] = frozenset()) -> CheckedTable:
    """Return a model with its checks; ``personal`` are the columns whose values evidence doesn't show."""
    planned = tuple(_unique_names(_declared(checks, ANALYTICS)))
    return CheckedTable(ANALYTICS, name, planned, hidden=personal)


def _implied(key: tuple[str, ...]) -> Iterator[TableCheck]:
    listed = ", ".join(key)
    yield TableCheck("key_not_null", "not_null", f"The key ({listed}) always has a value.", "error", key)
    yield TableCheck("key_unique", "unique", f"No two rows have the same key ({listed}).", "error", key)


def _declared(checks: Iterable[Check], schema: str) -> Iterator[TableCheck]:
    for check in checks:
        yield from _OF_KIND[check.kind](check, schema)


def _not_null(check: Check, _schema: str) -> Iterator[TableCheck]:
    for column in check.not_null or ():
        yield TableCheck(f"not_null_{column}", "not_null", f"{column} always has a value.", check.severity, (column,))


def _unique(check: Check, _schema: str) -> Iterator[TableCheck]:
    columns = check.unique or ()
    text = f"No two rows have the same {', '.join(columns)}."
    yield TableCheck(f"unique_{'_'.join(columns)}", "unique", text, check.severity, columns)


def _accepted_values(check: Check, _schema: str) -> Iterator[TableCheck]:
    for column, values in (check.accepted_values or {}).items():
        text = f"{column} is one of {', '.join(map(str, values))}."
        yield TableCheck(
            f"accepted_values_{column}", "accepted_values", text, check.severity, (column,), values=tuple(values)
        )


def _range(check: Check, _schema: str) -> Iterator[TableCheck]:
    for column, bounds in (check.range or {}).items():
        text = f"{column} is {_between(bounds)}."
        yield TableCheck(f"range_{column}", "range", text, check.severity, (column,), bounds=bounds)


def _foreign_key(check: Check, schema: str) -> Iterator[TableCheck]:
    for column, target in (check.foreign_key or {}).items():
        parts = target.split(".")
        there = (parts[0], parts[1], parts[2]) if len(parts) == 3 else (schema, parts[0], parts[-1])
        text = f"{column} is the {there[2]} of a row of {there[0]}.{there[1]}."
        yield TableCheck(f"foreign_key_{column}", "foreign_key", text, check.severity, (column,), target=there)


def _row_count(check: Check, _schema: str) -> Iterator[TableCheck]:
    if check.row_count is not None:
        text = f"The number of rows is {_between(check.row_count)}."
        yield TableCheck("row_count", "row_count", text, check.severity, bounds=check.row_count)


_OF_KIND = {
    "not_null": _not_null,
    "unique": _unique,
    "accepted_values": _accepted_values,
    "range": _range,
    "foreign_key": _foreign_key,
    "row_count": _row_count,
}


def _between(bounds: Range) -> str:
    least = [] if bounds.min is None else [f"at least {bounds.min:g}"]
    most = [] if bounds.max is None else [f"at most {bounds.max:g}"]
    return " and ".join(least + most) or "anything"


def _unique_names(checks: Iterable[TableCheck]) -> Iterator[TableCheck]:
    """Give a number to each check that would have the name of an earlier one."""
    seen: dict[str, int] = {}
    for check in checks:
        seen[check.name] = seen.get(check.name, 0) + 1
        number = seen[check.name]
        yield check if number == 1 else replace(check, name=f"{check.name}_{number}")


def declared_tables(declarations: Mapping[str, Declaration]) -> frozenset[tuple[str, str]]:
    """Return schema and table of every stream that is loaded."""
    return frozenset((d.name, stream.name) for d in declarations.values() for stream in d.selected())
