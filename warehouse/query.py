"""A reader's query: one statement that only reads, stopped when it takes too long or when nobody waits for it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from leat.warehouse.answer import Limits
from leat.warehouse.session import WarehouseError

T = TypeVar("T")
FETCHED = 1000
"""So many rows are read at once."""
_GRACE = 10.0  # seconds that an engine gets to notice a request to stop
_REQUESTS = 20  # to stop, within that time
_LEADING = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_EXPLAIN = re.compile(r"EXPLAIN\b(?:\s*\([^)]*\))?(?:\s+(?:ANALY[ZS]E|VERBOSE)\b)*\s*", re.IGNORECASE)
_OF_THE_CATALOG = re.compile(
    r"__ducklake_metadata|postgres_(?:scan|query|execute|attach)\w*|pg_clear_cache|ducklake_\w+_files|"
    r"\bquery(?:_table)?\"?(?=(?:\s|--[^\n]*\n|/\*.*?\*/)*\()",
    re.IGNORECASE | re.DOTALL,
)


def first_word(sql: str) -> str:
    """Return the first word of a query in capitals; empty when there is nothing but blanks and comments."""
    match = re.compile(r"\w*").match(sql, _skipped(sql))
    return match[0].upper() if match else ""


def explained(sql: str) -> str:
    """Return what an EXPLAIN is about; any other query as it is."""
    start = _skipped(sql)
    match = _EXPLAIN.match(sql, start)
    return sql[match.end() :] if match else sql


def _skipped(sql: str) -> int:
    match = _LEADING.match(sql)
    return match.end() if match else 0


def refuse_empty(sql: str) -> None:
    """Refuse a query that is empty without blanks, comments and semicolons.

    Raises:
        WarehouseError: it is empty.
    """
    if _skipped(sql.replace(";", " ")) >= len(sql):
        msg = 'there is no query. Next: give one SELECT, for example `leat query "SELECT * FROM leat.loads"`'
        raise WarehouseError(msg)


def several(count: int | None = None) -> WarehouseError:
    """Return the error of more statements than one."""
    what = "several statements" if count is None else f"{count} statements"
    return WarehouseError(f"{what} were given, and only the last would be shown. Next: run them one at a time")


def refuse(what: str) -> NoReturn:
    """Refuse a query because of what it does other than reading the tables.

    Raises:
        WarehouseError: always.
    """
    msg = (
        f"{what}: `leat query` only reads the tables of the warehouse. Next: write it as one SELECT; "
        "what changes things belongs in a declaration, a model or a client of your own"
    )
    raise WarehouseError(msg)


def refuse_catalog(sql: str) -> None:
    """Refuse a query that reaches the database of a lake's catalog, which the extension for Postgres would open to it.

    The text is searched, comments and strings included: a query in a string can be run by ``query()``.

    Raises:
        WarehouseError: it does.
    """
    match = _OF_THE_CATALOG.search(sql)
    if match is not None:
        refuse(f"{match[0]} reaches the catalog of the lake")


@dataclass(slots=True)
class Watch:
    """Does the work of a query in a thread of its own, so that an interrupt or the end of its time can stop it.

    Args:
        limits: the time that counts is the time of the work, not that of whoever reads the rows.
        cancel: makes the engine end what it is doing; called from another thread.
    """

    limits: Limits
    cancel: Callable[[], object]
    _spent: float = 0.0
    _working: threading.Lock = field(default_factory=threading.Lock)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "query"))

    def run(self, work: Callable[[], T]) -> T:
        """Return what the work returns; whatever is raised instead, :meth:`close` stops work that goes on.

        Raises:
            WarehouseError: the time is over.
        """
        began = time.monotonic()
        future = self._thread.submit(self._alone, work)
        try:
            return future.result(self.limits.seconds - self._spent)
        except TimeoutError as error:
            if future.done():
                raise
            msg = (
                f"the query was stopped after {self.limits.seconds:g} seconds. Next: ask for less, for example with "
                "a WHERE, or give it more time by `--timeout SECONDS`"
            )
            raise WarehouseError(msg) from error
        finally:
            self._spent += time.monotonic() - began

    def rows(self, fetch: Callable[[], list[tuple[Any, ...]]]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of one fetch after the other, until one is empty."""
        while batch := self.run(fetch):
            yield from batch

    def close(self) -> None:
        """Stop the work, if it still goes on, and let the thread go.

        An engine overlooks a request to stop that comes before it has begun the statement, so it gets several.
        """
        self._thread.shutdown(wait=False, cancel_futures=True)
        for _ in range(_REQUESTS):
            if self._working.acquire(blocking=False):
                return
            self.cancel()
            if self._working.acquire(timeout=_GRACE / _REQUESTS):
                return

    def _alone(self, work: Callable[[], T]) -> T:
        with self._working:
            return work()
