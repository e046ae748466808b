"""Read the tables of a control store through SQLAlchemy, in one snapshot, as records of the streams."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.sources.egress import check_host
from leat.sources.errors import (
    Forbidden,
    IntegrationError,
    NotConfigured,
    NotFound,
    Transient,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.platform.sql.refused import refuses
from leat.sources.platform.streams import STREAMS
from leat.sources.stream import Stream
from leat.sqlcipher import CantEncrypt, create_sqlite
from leat.tls import postgres_is_encrypted, postgres_options

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, FromClause, Select
    from sqlalchemy.engine import URL
    from sqlalchemy.exc import DBAPIError

TABLES = {stream.name: stream.name.removesuffix("s") for stream in STREAMS}
_FORBIDDEN = "42501"  # Postgres: insufficient_privilege


@contextlib.contextmanager
def snapshot(integration: str, url: str) -> Iterator[Connection]:
    """Open a control store; everything read through the connection is of one moment.

    Raises:
        IntegrationError: its class says what is wrong; without the URL, which may hold a password.
    """
    from sqlalchemy import create_engine, event, inspect
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    asked = "reading the control store"
    parsed = _parsed(integration, url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite:
        parsed = _read_only(integration, parsed)
    if not sqlite:
        check_host(integration, parsed.host or "localhost", encrypted=postgres_is_encrypted(parsed.query))
    level = None if sqlite else "REPEATABLE READ"
    tls = {} if sqlite else postgres_options(parsed.host, parsed.query)
    options: dict[str, Any] = {"poolclass": NullPool, "isolation_level": level, "connect_args": tls}
    engine = _sqlite(integration, parsed, options) if sqlite else create_engine(parsed, **options)
    if sqlite:  # sqlite3 by itself would give every SELECT a snapshot of its own
        event.listen(engine, "connect", lambda connection, _record: setattr(connection, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    try:
        with engine.connect() as connection:
            missing = sorted(set(TABLES.values()) - set(inspect(connection).get_table_names()))
            if missing:
                got = f"it has no table {', '.join(missing)}"
                raise UnexpectedShape(
                    integration, asked, got, "name the database of leat's control store, or update it"
                )
            yield connection
    except DBAPIError as error:
        raise _explained(integration, asked, error, parsed) from error


def _parsed(integration: str, url: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
        supported = parsed.get_backend_name() in ("postgresql", "sqlite") and bool(parsed.database)
    except (SQLAlchemyError, ValueError):
        supported = False
    if not supported:
        next_step = "give postgresql://user:password@host/database or sqlite:////path/control.db"
        raise NotConfigured(integration, "opening the control store", "its URL can't be read", next_step) from None
    return parsed


def _read_only(integration: str, url: URL) -> URL:
    path = Path(str(url.database)).absolute()
    if not path.is_file():
        next_step = "run any integration first, or correct connection.url"
        raise NotFound(integration, "opening the control store", f"there is no file {path}", next_step)
    read_only = {"mode": "ro", "uri": "true", "timeout": "30"}
    return url.set(database=path.as_uri(), query={**url.query, **read_only})


def _sqlite(integration: str, url: URL, options: Mapping[str, Any]) -> Engine:
    try:
        return create_sqlite(url, **options)
    except CantEncrypt as error:
        raise NotConfigured(integration, "opening the control store", str(error), "correct connection.url") from error


def _explained(integration: str, asked: str, error: DBAPIError, url: URL) -> IntegrationError:
    from sqlalchemy.exc import OperationalError

    got = " ".join(str(error.orig).split())
    if getattr(error.orig, "pgcode", None) == _FORBIDDEN:
        return Forbidden(integration, asked, got, "grant SELECT on the store's tables to this user")
    connecting = isinstance(error, OperationalError) and getattr(error.orig, "pgcode", None) is None
    if connecting and url.get_backend_name() == "postgresql" and refuses(url):
        return Unauthenticated(integration, asked, got, "check user, password and database in connection.url")
    kind: type[Transient] | type[UnexpectedShape] = (
        Unavailable if isinstance(error, OperationalError) else UnexpectedShape
    )
    return kind(integration, asked, got, "check that connection.url names a running control store, and its password")


def records(connection: Connection, stream: Stream, *conditions: ColumnElement[bool]) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a stream as records, ordered by key, a thousand at a time."""
    wanted = select_of(stream).where(*conditions)
    for row in connection.execution_options(yield_per=1000).execute(wanted).mappings():
        yield {name: _aware(value) for name, value in row.items()}


def select_of(stream: Stream) -> Select[Any]:
    """Return the query of a stream; names of what a row belongs to come from the tables that have them."""
    from sqlalchemy import select

    names = [column.name for column in stream.columns]
    table = table_of(stream)
    source: FromClause = table
    columns: list[Any] = [table.c[name] for name in names if name in table.c]
    for name in ("integration", "integration_system"):
        if name in names and f"{name}_id" in names:
            parent = table_of(next(item for item in STREAMS if TABLES[item.name] == name))
            source = source.join(parent, parent.c.id == table.c[f"{name}_id"])
            columns.append(parent.c.name.label(name))
    return select(*columns).select_from(source).order_by(table.c.id)


@functools.cache
def table_of(stream: Stream) -> Any:
    """Return the table of a stream with the types of its columns; the same one each time, as queries need it."""
    import sqlalchemy as sa

    types: dict[str, Any] = {
        "timestamp": sa.DateTime(timezone=True),
        "json": sa.JSON(),
        "string": sa.Text(),
        "boolean": sa.Boolean(),
    }
    names = {column.name for column in stream.columns}
    own = [column for column in stream.columns if f"{column.name}_id" not in names]  # else it is the parent's name
    return sa.table(TABLES[stream.name], *(sa.column(c.name, types.get(c.type)) for c in own))


def _aware(value: Any) -> Any:
    """Return a time in UTC: SQLite stores no zone, and what is in the store is UTC."""
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
