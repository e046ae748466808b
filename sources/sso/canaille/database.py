"""What Canaille's database has and SCIM doesn't: applications, who uses them, factors and sessions.

Every query names its columns, and none of them holds a password, a secret or a token. A table is loaded when the
digest of its rows isn't the one of the cursor; all of it is of one moment.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.sources.batch import Batch, to_json
from leat.sources.driver import Sync
from leat.sources.egress import check_host
from leat.sources.errors import Forbidden, NotConfigured, NotFound, Unavailable, UnexpectedShape
from leat.sources.events import Event, FullScan, Quarantined
from leat.sources.sso.canaille.queries import QUERIES
from leat.sources.sso.streams import STREAMS
from leat.tls import postgres_is_encrypted, postgres_options

if TYPE_CHECKING:
    from sqlalchemy import Connection

_FORBIDDEN = "42501"  # Postgres: insufficient_privilege
_STREAMS = {stream.name: stream for stream in STREAMS}


@contextlib.contextmanager
def open_database(integration: str, url: str) -> Iterator[Connection]:
    """Open Canaille's database for reading, in one transaction.

    Raises:
        IntegrationError: it can't be opened or read; without its URL, which may hold a password.
    """
    import sqlalchemy as sa

    asked = "reading Canaille's database"
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):
        raise _unusable(integration) from None
    if parsed.get_backend_name() == "sqlite":
        path = Path(str(parsed.database)).absolute()
        if not path.is_file():
            next_step = "correct connection.canaille_database"
            raise NotFound(integration, asked, f"there is no file {path}", next_step)
        parsed = parsed.set(database=path.as_uri(), query={"mode": "ro", "uri": "true", "timeout": "30"})
        level = "SERIALIZABLE"
    elif parsed.get_backend_name() == "postgresql":
        level = "REPEATABLE READ"
    else:
        raise _unusable(integration)
    tls: dict[str, str] = {}
    if level != "SERIALIZABLE":
        check_host(integration, parsed.host or "localhost", encrypted=postgres_is_encrypted(parsed.query))
        tls = postgres_options(parsed.host, parsed.query)
    try:
        engine = sa.create_engine(parsed, poolclass=sa.NullPool, isolation_level=level, connect_args=tls)
        with engine.connect() as connection:
            if level == "SERIALIZABLE":  # sqlite3 by itself begins no transaction for a SELECT
                connection.exec_driver_sql("BEGIN")
            yield connection
    except sa.exc.ProgrammingError as error:
        raise _wrong(integration, asked, error.orig) from None
    except sa.exc.DBAPIError as error:
        got = " ".join(str(error.orig).split())
        next_step = "check that connection.canaille_database names Canaille's database, its user and password"
        raise Unavailable(integration, asked, got, next_step) from None


def _unusable(integration: str) -> NotConfigured:
    next_step = "give sqlite:////path/canaille.sqlite or postgresql://user:password@host/database"
    return NotConfigured(
        integration, "reading connection.canaille_database", "it is no URL that can be used", next_step
    )


def _wrong(integration: str, asked: str, error: Any) -> UnexpectedShape | Forbidden:
    got = " ".join(str(error).split())
    if getattr(error, "pgcode", None) == _FORBIDDEN:
        return Forbidden(integration, asked, got, "grant SELECT on the tables to this user")
    next_step = "name the database of a Canaille 0.3, and grant SELECT on its tables"
    return UnexpectedShape(integration, asked, got, next_step)


def read_database(sync: Sync, url: str, before: Mapping[str, Any]) -> Generator[Event, None, dict[str, Any]]:
    """Yield the tables that changed; returns their part of the cursor: the digest of each.

    Raises:
        IntegrationError: the database can't be read.
    """
    selected = [name for name in QUERIES if name in sync.streams]
    state = dict(before)
    if not selected:
        return state
    with open_database(sync.integration, url) as connection:
        check_tables(sync.integration, connection)
        for name in selected:
            state[name] = _digest(connection, name)
            if state[name] != before.get(name):
                yield from _load(connection, name)
    return state


def check_tables(integration: str, connection: Connection) -> None:
    """Raise UnexpectedShape unless the tables are there."""
    import sqlalchemy as sa

    missing = {"client", "consent", "token", "user", "webauthn_credential"} - set(
        sa.inspect(connection).get_table_names()
    )
    if missing:
        raise _wrong(integration, "reading Canaille's database", f"it has no table {', '.join(sorted(missing))}")


def _rows(connection: Connection, name: str) -> Iterator[dict[str, Any]]:
    import sqlalchemy as sa

    kinds = {"json": sa.JSON(), "time": sa.DateTime()}
    for sql, columns in QUERIES[name]:
        query = sa.text(sql).columns(**{column: kinds[kind] for column, kind in columns.items()})
        for row in connection.execution_options(yield_per=1000).execute(query).mappings():
            yield {column: _utc(value) for column, value in row.items()}


def _utc(value: Any) -> Any:
    """Return a time in UTC, as Canaille itself reads it: what it stores is UTC, whatever zone Postgres shows it in."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


def _digest(connection: Connection, name: str) -> str:
    digest = sha256()
    for row in _rows(connection, name):
        digest.update(to_json(row).encode() + b"\n")
    return digest.hexdigest()[:32]


def _load(connection: Connection, name: str) -> Iterator[Event]:
    batch, broken = Batch(_STREAMS[name]), False
    for row in _rows(connection, name):
        try:
            yield from batch.add(_finished(row))
        except (ValueError, OverflowError) as error:
            broken = True
            yield Quarantined(name, str(row.get("id") or row.get("user_id")), str(error), to_json(row))
    yield from batch.flush()
    if not broken:
        yield FullScan(name)


def _finished(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with what SQL can't say in the same words on every database: flags, and the end of a session."""
    row = {column: bool(value) if column == "renewable" else value for column, value in row.items()}
    if "lifetime" in row:
        lifetime = row.pop("lifetime")
        started = row.get("started_at")
        row["expires_at"] = None if started is None or lifetime is None else started + timedelta(seconds=lifetime)
    return row
