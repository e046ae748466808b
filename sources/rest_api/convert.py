"""Spooled pages to events: rows, records that don't fit, the rows of lists that are nested in them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sources.events import Delete, Event, Rows
from sources.rest_api.cleaning import cleaned
from sources.rest_api.declared import Endpoint
from sources.rest_api.page import page_of
from sources.rest_api.since import Seen
from sources.rest_api.spool import Spooled
from sources.rest_api.tables import Read, Tables
from sources.web.client import Client
from sources.web.credentials import digest

if TYPE_CHECKING:
    import duckdb

Values = Mapping[str, Any]


@dataclass(slots=True)
class Converter:
    """Makes events of the pages of one endpoint.

    Attributes:
        client: reads a page again that can't be cut.
        con: gives a DuckDB connection.
        name: of the endpoint.
        endpoint: its declaration.
        nested: endpoints whose lists are in its records, those that are wanted.
        wanted: whether rows of the endpoint itself are; else it is only read for its children.
        kept: columns whose values are remembered, for endpoints that are asked for each row.
        replace: whether nested rows that were loaded before are to be deleted one record at a time.
        rows: how many rows were read.
        bad: how many records didn't fit.
        refused: a digest of those.
        bad_nested: nested endpoints that have such records.
        values: rows of the parent that were read, as far as they are remembered.
        seen: collects the newest records, where the list grows.
        complete: whether ``values`` has every row that the system has.
    """

    client: Client
    con: Callable[[], duckdb.DuckDBPyConnection]
    name: str
    endpoint: Endpoint
    nested: Mapping[str, Endpoint]
    wanted: bool
    kept: tuple[str, ...]
    replace: bool = False
    rows: int = 0
    bad: int = 0
    refused: str = ""
    bad_nested: set[str] = field(default_factory=set)
    values: dict[tuple[Any, ...], Values] = field(default_factory=dict)
    seen: Seen | None = None
    complete: bool = False

    def events(self, pages: list[Spooled], parents: Mapping[str, Values]) -> Iterator[Event]:
        """Yield the events of some pages, and remove their files."""
        if not pages:
            return
        files = [page.file for page in pages]
        read = self._read(Tables(self.name, self.endpoint, None), pages, parents)
        self.rows += len(read.table)
        self.bad += len(read.bad)
        if read.bad:
            self.refused = digest(self.refused, *(f"{each.reason} {each.record}" for each in read.bad.values()))
        self._keep(read)
        if self.seen is not None:
            self.seen.add(read.table, read.digests)
        if self.wanted:
            yield Rows(self.name, read.table)
            yield from read.bad.values()
        for name, endpoint in self.nested.items():
            inner = Tables(name, endpoint, self.endpoint).read(self.con(), files, {})
            if self.replace:
                yield from self._deletes(name, endpoint, read)
            yield Rows(name, inner.table)
            yield from inner.bad.values()
            if inner.bad:
                self.bad_nested.add(name)
        for file in files:
            file.unlink()

    def _read(self, tables: Tables, pages: list[Spooled], parents: Mapping[str, Values]) -> Read:
        """Read pages by DuckDB; what it refuses, for example lone surrogates, is cleaned page by page before."""
        import duckdb

        files = [page.file for page in pages]
        try:
            return tables.read(self.con(), files, parents)
        except duckdb.InvalidInputException:
            for page in pages:
                self._mend(page)
            return tables.read(self.con(), files, parents)

    def _mend(self, page: Spooled) -> None:
        """Write a file anew as JSON that DuckDB takes; a list that was cut wrongly is asked for again.

        Raises:
            UnexpectedShape: the answer isn't JSON.
        """
        with contextlib.suppress(ValueError, RecursionError):
            records = cleaned(json.loads(page.file.read_bytes()))
            page.file.write_text(json.dumps(records, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
            return
        answer = self.client.send(page.ask)
        page_of(self.client, self.endpoint, page.ask, answer)
        raise self.client.not_json(answer)

    def _keep(self, read: Read) -> None:
        if self.kept:
            for row in read.table.select(list(self.kept)).to_pylist():
                if None not in row.values():
                    self.values[tuple(row.values())] = row

    def _deletes(self, name: str, endpoint: Endpoint, read: Read) -> Iterator[Event]:
        """Yield deletes of the nested rows of every record that was read."""
        taken = {column: str(o.parent) for column, o in endpoint.columns.items() if o.parent in self.endpoint.key}
        for row in read.table.select(sorted(set(taken.values()))).to_pylist():
            yield Delete(name, {column: row[parent] for column, parent in taken.items()})


def parents_of(pages: list[Spooled], values: Values) -> dict[str, Values]:
    """Return the parent's row for each file."""
    return {str(Path(page.file)): values for page in pages}
