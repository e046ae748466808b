"""Great Expectations inside a transaction that is already open.

GX opens connections by itself, commits after some of its queries and, on DuckDB, reads a result after its connection
is closed. Here it is given the connection of the open transaction instead, so that it sees rows that aren't committed
yet; it can neither commit, roll back nor close. There is no data context: nothing is written, no progress bar is drawn.
"""

from __future__ import annotations

import functools
import importlib
import logging
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

from leat.quality.guard import TransactionLost
from leat.warehouse.savepoint import savepoint
from leat.warehouse.session import Session

UNEXPECTED_ROWS = "unexpected_rows_expectation"
_UNUSED = ("altair", "scipy.stats")
"""What Great Expectations imports for distributions alone, which no check has: a quarter of its processor time."""
_GRAMMARS = "rfc3987_syntax"
"""What jsonschema imports for the format of IRIs where Jupyter installed it: its 38 parsers take a second."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """An expectation by its GX name, for example ``expect_column_values_to_not_be_null``, and its arguments."""

    type: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an expectation was met; ``error`` says why it couldn't be tried."""

    met: bool
    error: str | None = None


_IMPORTING = threading.Lock()


class _Later(ModuleType):
    """A module that is imported when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def later_grammars() -> ModuleType:
    """Return a module whose one function imports the real module when it is called."""
    module = ModuleType(_GRAMMARS)

    def is_valid_syntax(*term: str) -> bool:
        if sys.modules.get(_GRAMMARS) is module:
            del sys.modules[_GRAMMARS]
        return bool(importlib.import_module(_GRAMMARS).is_valid_syntax(*term))

    vars(module)["is_valid_syntax"] = is_valid_syntax
    return module


def import_expectations() -> None:
    """Import Great Expectations, which takes seconds. A second thread waits: half imported, it fails in circles."""
    with _IMPORTING:
        if "great_expectations" in sys.modules:
            return
        unused = {name: _Later(name) for name in _UNUSED} | {_GRAMMARS: later_grammars()}
        later = {name: module for name, module in unused.items() if name not in sys.modules}
        sys.modules.update(later)
        try:
            importlib.import_module("great_expectations")
        finally:
            for name, module in later.items():
                if sys.modules.get(name) is module:
                    del sys.modules[name]


def unexpected_rows(sql: str) -> Expectation:
    """Return the expectation that a query gives no rows.

    ``{batch}`` in it is the validated query, which needs an alias exactly if there is a JOIN in the text. Other braces,
    colons and per cent signs would be taken for placeholders.
    """
    return Expectation(UNEXPECTED_ROWS, {"unexpected_rows_query": sql})


def validate(session: Session, select: str, expectations: Sequence[Expectation]) -> list[Verdict]:
    """Validate the rows of a query; one verdict per expectation.

    Args:
        session: an open transaction; it goes on as if nothing had happened, also after a query that failed.
        select: the query whose rows are validated.
        expectations: what is expected of them; all are computed together.

    Raises:
        TransactionLost: on DuckDB, a query failed while it ran.
    """
    verdicts = _together(session, select, expectations)
    if len(expectations) > 1 and any(verdict.error for verdict in verdicts):
        return [_together(session, select, [expectation])[0] for expectation in expectations]
    return verdicts


def results_of(session: Session, select: str, expectations: Sequence[Expectation]) -> list[Any]:
    """Return Great Expectations' own results of validating the rows of a query: how many broke which, without values.

    One that can't be tried says so in its ``exception_info``; the transaction goes on.

    Raises:
        TransactionLost: on DuckDB, a query failed while it ran.
    """
    with savepoint(session, "leat_quality") as before:
        form = {"result_format": "BASIC", "partial_unexpected_count": 0}
        results = _results(session, select, expectations, form)
        errors = [error for result in results if (error := _error(result.exception_info))]
        if errors and not before.undo():
            raise TransactionLost(errors[0])
    return results


def _results(session: Session, select: str, expectations: Sequence[Expectation], form: Mapping[str, Any]) -> list[Any]:
    import_expectations()
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    wanted = [ExpectationConfiguration(type=e.type, kwargs=dict(e.arguments)) for e in expectations]
    runtime = {"catch_exceptions": True, "result_format": dict(form)}
    return list(_validator(session, select).graph_validate(configurations=wanted, runtime_configuration=runtime))


def _together(session: Session, select: str, expectations: Sequence[Expectation]) -> list[Verdict]:
    with savepoint(session, "leat_quality") as before:
        results = _results(session, select, expectations, {"result_format": "BOOLEAN_ONLY"})
        verdicts = [Verdict(bool(result.success), _error(result.exception_info)) for result in results]
        errors = [verdict.error for verdict in verdicts if verdict.error]
        if errors and not before.undo():
            raise TransactionLost(errors[0])
    return verdicts


@dataclass(frozen=True, slots=True)
class _Borrowed:
    """The open transaction in the place of a SQLAlchemy engine or connection; leaving a ``with`` block does nothing.

    Results are read at once: on DuckDB a later query on the connection would end them.
    """

    connection: Any

    @property
    def dialect(self) -> Any:
        return self.connection.dialect

    @property
    def engine(self) -> _Borrowed:
        return self

    def connect(self) -> _Borrowed:
        return self

    def __enter__(self) -> _Borrowed:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def execute(self, query: Any) -> Any:
        return self.connection.execute(query).freeze()()


@functools.cache
def _engine_class() -> type[Any]:
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    import sqlalchemy
    from great_expectations.execution_engine.sqlalchemy_execution_engine import SqlAlchemyExecutionEngine

    class BorrowedEngine(SqlAlchemyExecutionEngine):
        """Runs every query on the borrowed connection."""

        engine: Any

        def get_connection(self) -> Any:
            return self.engine

        def get_inspector(self) -> Any:
            return sqlalchemy.inspect(self.engine.connection)

        def execute_query(self, query: Any) -> Any:
            return self.engine.execute(query)

        def execute_query_in_transaction(self, query: Any) -> Any:
            return self.engine.execute(query)

        def close(self) -> None:
            """Leave the connection open: it belongs to the caller."""

    return BorrowedEngine


def _validator(session: Session, select: str) -> Any:
    import sqlalchemy
    from great_expectations.core.batch import Batch
    from great_expectations.core.batch_spec import RuntimeQueryBatchSpec
    from great_expectations.validator.validator import Validator

    connection = _Borrowed(session.sqlalchemy())
    engine = _engine_class()(engine=connection, create_temp_table=False)
    spec = RuntimeQueryBatchSpec(query=select, create_temp_table=False)
    data, markers = engine.get_batch_data_and_markers(spec)
    # GX would run the whole query only to learn the names of its columns.
    none = connection.execute(sqlalchemy.text(f"SELECT * FROM ({select}) AS checked WHERE 1 = 0"))
    data.selectable.selected_columns = {name: SimpleNamespace(name=name, type=None) for name in none.keys()}  # noqa: SIM118
    batch = Batch(data=data, batch_spec=spec, batch_markers=markers)
    validator = Validator(execution_engine=engine, batches=[batch], include_rendered_content=False)
    validator.metrics_calculator.show_progress_bars = False
    return validator


def _error(info: Mapping[str, Any]) -> str | None:
    """Return the first line of the first exception, without the traceback."""
    entries = [info, *info.values()] if info else []
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            text = str(entry.get("exception_message")).strip().split("\n", maxsplit=1)[0]
            return text.split(") ", maxsplit=1)[-1] if text.startswith("(") else text
    return None
