"""A reader's query on Postgres: one SELECT in a read-only transaction, by a role that can only read, within limits.

The text reaches the server as a value: a cursor is opened for it, which Postgres refuses for more than one statement
and for one that gives no rows. What is left is the functions: those that change things or read what isn't in a table
are VOLATILE, and a name of such a function anywhere in the text is refused, however it is quoted or called.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from leat.warehouse.answer import Answer, Limits
from leat.warehouse.query import FETCHED, Watch, explained, first_word, refuse, refuse_empty, several
from leat.warehouse.session import WarehouseError, quote

T = TypeVar("T")
_READER = "pg_read_all_data"
_HARMLESS = frozenset({
    "array_sample", "array_shuffle", "bernoulli", "clock_timestamp", "current_query",
    "gen_random_uuid", "pg_database_size", "pg_indexes_size", "pg_is_in_recovery",
    "pg_partition_ancestors", "pg_partition_tree", "pg_relation_size", "pg_sleep", "pg_sleep_for",
    "pg_sleep_until", "pg_table_size", "pg_total_relation_size", "random", "random_normal",
    "system", "timeofday", "txid_status", "uuidv4", "uuidv7",
})  # fmt: skip
"""Of the VOLATILE functions, those that only compute, read sizes or wait, which the time limit bounds."""
_SECRET = frozenset({"pg_authid", "pg_largeobject", "pg_shadow", "pg_subscription", "pg_user_mapping"})
"""Tables of the server that hold passwords or files; ``pg_read_all_data`` could read them."""
_OPEN = """DO $leat$ DECLARE reading refcursor := 'leat_query';
BEGIN OPEN reading NO SCROLL FOR EXECUTE current_setting('leat.query'); END $leat$"""
_EFFECTS = """SELECT DISTINCT p.proname, p.pronamespace = 'pg_catalog'::regnamespace
    OR EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
FROM pg_proc AS p WHERE p.provolatile = 'v' AND p.prorettype <> 'trigger'::regtype AND p.proname = ANY (%s)"""


_COLUMNS = (
    '`leat status` lists the tables; `leat query "SELECT column_name FROM information_schema.columns '
    "WHERE table_schema = 'payments' AND table_name = 'charges'\"` the columns of one"
)


@contextlib.contextmanager
def answered(connection: Any, sql: str, limits: Limits, role: str | None = None) -> Iterator[Answer]:
    """Run one query on a psycopg2 connection that is in a read-only transaction and isn't used afterwards.

    Args:
        connection: the connection.
        sql: the query.
        limits: what it may take.
        role: the role of the server to run it as; None for one that reads everything.

    Raises:
        WarehouseError: it does anything else than read, or the database refused it.
    """
    import psycopg2
    from psycopg2.extras import register_default_json, register_default_jsonb

    refuse_empty(sql)
    _check_statement(sql)
    for register in (register_default_json, register_default_jsonb):
        register(connection, loads=lambda text: text)  # as it is: a number loses no digit, as on DuckDB
    watch = Watch(limits, connection.cancel)
    cursor = connection.cursor()

    def fetch() -> list[tuple[Any, ...]]:
        cursor.execute(f"FETCH {FETCHED} FROM leat_query")
        return list(cursor.fetchall())

    def begin() -> list[tuple[Any, ...]]:
        _check_functions(cursor, sql)
        _limit(cursor, limits)
        if role is None:
            _become_reader(cursor)
        else:
            cursor.execute(f"SET LOCAL ROLE {quote(role)}")
        cursor.execute("SELECT set_config('leat.query', %s, true)", (sql,))
        cursor.execute(_OPEN)
        return fetch()

    try:
        first = watch.run(lambda: _explaining(psycopg2.Error, begin))
        names = [column[0] for column in cursor.description or ()]
        yield Answer(names, _rows(first, watch.rows(lambda: _explaining(psycopg2.Error, fetch))))
    finally:
        watch.close()


def _rows(first: list[tuple[Any, ...]], rest: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    yield from first
    if len(first) == FETCHED:
        yield from rest


def _check_statement(sql: str) -> None:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    if "\0" in sql:
        refuse("the query has a NUL character")
    word = first_word(sql)
    if word in ("SHOW", "TABLE"):  # sqlglot doesn't read them; a cursor takes just one of them
        return
    try:
        statements = [each for each in sqlglot.parse(explained(sql), dialect="postgres") if each is not None]
    except (SqlglotError, RecursionError) as error:
        what = str(error).split("\n", maxsplit=1)[0] if isinstance(error, SqlglotError) else "it is nested too deeply"
        msg = f"{word}: the query isn't understood: {what.rstrip('.')}. Next: correct it; it has to be one SELECT"
        raise WarehouseError(msg) from error
    if len(statements) != 1:
        raise several(len(statements))
    changes = statements[0].find(exp.Into, exp.DML, exp.DDL, exp.Command, exp.Lock)
    if changes is not None or not isinstance(statements[0], exp.Query | exp.Values):
        refuse(f"{(changes or statements[0]).key.upper()} isn't a SELECT that only reads")


def _check_functions(cursor: Any, sql: str) -> None:
    if re.search(r"\bU&[\"']", sql, re.IGNORECASE):
        refuse('U&"…" may hide a name')
    words = set(re.findall(r"[^\W\d]\w*", sql.lower())) - _HARMLESS
    for word in sorted(words):
        if word in _SECRET or word.removesuffix("s") in _SECRET:
            refuse(f"{word} holds secrets of the server")
    cursor.execute(_EFFECTS, (sorted(words),))
    for name, of_the_server in cursor.fetchall():
        called = re.search(rf'\b{re.escape(name)}"?\s*(?:\(|/\*|--)', sql, re.IGNORECASE)
        if of_the_server or called:
            refuse(f"{name} may change things, or read what isn't in a table")


def _limit(cursor: Any, limits: Limits) -> None:
    cursor.execute("SELECT set_config('statement_timeout', %s, true)", (str(int(limits.seconds * 1000)),))
    work = max(1024, min(limits.memory // 16_000, 2_000_000))  # of one sort or hash table; a query has several
    cursor.execute("SELECT set_config('work_mem', %s, true)", (str(work),))
    cursor.execute("SHOW server_version_num")
    if int(cursor.fetchone()[0]) >= 150_000:  # before, only a superuser may set it, and could not be asked about it
        cursor.execute("SELECT has_parameter_privilege('temp_file_limit', 'SET')")
        if cursor.fetchone()[0]:
            cursor.execute("SELECT set_config('temp_file_limit', %s, true)", (str(limits.disk // 1024),))


def _become_reader(cursor: Any) -> None:
    """Take on a role that can only read, where the role of the connection may; a superuser has to."""
    cursor.execute("SELECT current_setting('is_superuser') = 'on', current_setting('server_version_num')::int")
    superuser, version = cursor.fetchone()
    cursor.execute("SELECT oid FROM pg_roles WHERE rolname = %s", (_READER,))
    if cursor.fetchone():
        cursor.execute("SELECT pg_has_role(%s, %s)", (_READER, "SET" if version >= 160_000 else "MEMBER"))
        if cursor.fetchone()[0]:
            cursor.execute(f"SET LOCAL ROLE {_READER}")
            return
    if superuser:
        msg = (
            "LEAT_WAREHOUSE names a superuser, who could do more than read, and this Postgres is older than 14 and has "
            "no role pg_read_all_data. Next: connect `leat query` as a role that has only SELECT on the schemas"
        )
        raise WarehouseError(msg)


def _explaining(errors: type[Exception], work: Callable[[], T]) -> T:
    import psycopg2

    try:
        return work()
    except psycopg2.errors.QueryCanceled as error:
        msg = "the query was stopped by its time limit. Next: ask for less, or give it more by `--timeout SECONDS`"
        raise WarehouseError(msg) from error
    except psycopg2.errors.InvalidCursorDefinition as error:
        if "multi-query" in str(error):
            raise several() from error
        refuse(str(error).split("\n", maxsplit=1)[0])
    except errors as error:
        diagnosis = getattr(error, "diag", None)
        what = getattr(diagnosis, "message_primary", None) or str(error).strip()
        hint = getattr(diagnosis, "message_hint", None)
        msg = f"{what}{f' ({hint})' if hint else ''}\nNext: {_COLUMNS}"
        raise WarehouseError(msg) from error
    except (ValueError, OverflowError) as error:  # Python has no year 10,000
        msg = f"a value can't be shown: {error}. Next: CAST the column to text"
        raise WarehouseError(msg) from error
