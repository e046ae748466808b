"""Functions of Postgres by which a query would reach past the tables: files, other servers, sessions, settings.

A query that is transpiled can't have one, because only functions that are proven equal on both engines pass. One that
is written for Postgres by hand is refused where it names one, whatever the rights of leat's role are. What a reader
asks is judged by the server itself: :mod:`leat.warehouse.postgres.query`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_REACHING = re.compile(
    r"\b(pg_(?:read|ls|write|file|stat_file|current_logfile|terminate|cancel|reload|rotate|notify|switch|create|drop"
    r"|advisory|try_advisory|logical|replication|promote|backup|wal)\w*"
    r"|lo_\w+|loread|lowrite|dblink\w*|postgres_fdw\w*|(?:query|table|schema|database|cursor)_to_xml\w*|ts_stat"
    r"|set_config|nextval|setval|pg_authid|pg_shadow|pg_largeobject|pg_user_mappings?)\b|\b(U&)[\"']",
    re.IGNORECASE,
)


def reaching(sql: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the name of each such function in a text for Postgres."""
    for match in _REACHING.finditer(sql):
        yield sql[: match.start()].count("\n") + 1, (match[1] or match[2]).lower()
