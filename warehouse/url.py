"""The URL of a warehouse. That of a Postgres is read strictly, so that no part of its password is taken for a host.

A lake is in the state folder: ``ducklake``, or ``ducklake?retain=P7D`` where old files stay for seven days. Or its
catalog is in Postgres: ``ducklake:postgresql://user:password@host/database?data=s3://bucket/prefix&retain=P7D``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import parse_qsl, unquote

from leat.warehouse.session import WarehouseError

_DUCKLAKE = re.compile(r"ducklake:?(?:\?retain=(?:P(\d{1,4})D|PT(\d{1,5})H))?")
_RETAINED = timedelta(days=1)
_SCHEME = re.compile(r"postgres(?:ql)?(?:\+\w+)?://", re.IGNORECASE)
_HOSTS = re.compile(r"(?:\[[0-9A-Fa-f:.%]+\]|[^\s:@\[\]%]*)(?::(\d*))?")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PASSWORD = re.compile(r"(?i)password\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&;'\"]+))")


def is_postgres(url: str) -> bool:
    """Return whether a URL is meant for Postgres."""
    return _SCHEME.match(url) is not None


def is_ducklake(url: str) -> bool:
    """Return whether a URL is meant for DuckLake."""
    return url.startswith("ducklake")


def is_shared_lake(url: str) -> bool:
    """Return whether a URL is meant for a lake whose catalog is in Postgres."""
    return is_ducklake(url) and is_postgres(url.removeprefix("ducklake:"))


def read_lake_url(url: str, variable: str) -> tuple[str, str, timedelta]:
    """Return the URL of the catalog's database, where the files are, and how long old ones are retained.

    Args:
        url: what the variable says.
        variable: its name, for the message.

    Raises:
        WarehouseError: it can't be read; the text shows nothing of it.
    """
    rest, _, query = url.removeprefix("ducklake:").partition("?")
    parts = [part for part in query.split("&") if part]
    options = {name: unquote(value) for name, _, value in (part.partition("=") for part in parts)}
    others = [part for part in parts if part.partition("=")[0] not in ("data", "retain")]
    data = options.get("data", "").rstrip("/")
    retain = retained(f"ducklake?retain={options['retain']}") if "retain" in options else _RETAINED
    if not re.fullmatch(r"(?:s3:/)?/[^/?*\[{]+(?:/[^/?*\[{]+)*", data):
        msg = (
            f"{variable} doesn't say where the files of the lake are. Next: write "
            "ducklake:postgresql://user:password@host/database?data=s3://bucket/prefix, or data=/a/folder that all "
            "machines see"
        )
        raise WarehouseError(msg)
    return check_postgres_url("?".join([rest, *(["&".join(others)] if others else [])]), variable), data, retain


def check_control_of_lake(url: str | None, control: str) -> None:
    """Check that what all machines have to know isn't in a file of one of them, nor open to who reads the lake.

    Args:
        url: of the warehouse.
        control: of the control store.

    Raises:
        WarehouseError: the control store is a file, or in the database of the lake's catalog.
    """
    if url is None or not is_shared_lake(url):
        return
    if not is_postgres(control):
        msg = (
            "several machines may write this lake, and the control store is a file of this one. Next: set LEAT_CONTROL "
            "to a database of Postgres; `leat move --control env:NEW_CONTROL` moves what is in the file"
        )
        raise WarehouseError(msg)
    if shown_url(read_lake_url(url, "LEAT_WAREHOUSE")[0]) == shown_url(check_postgres_url(control, "LEAT_CONTROL")):
        msg = (
            "LEAT_WAREHOUSE and LEAT_CONTROL name one database, and who reads the lake would read the control store as "
            "well. Next: give each a database of its own"
        )
        raise WarehouseError(msg)


def retained(url: str) -> timedelta:
    """Return how long a lake retains files that the newest version doesn't have any longer.

    Raises:
        WarehouseError: the URL isn't understood.
    """
    match = _DUCKLAKE.fullmatch(url)
    if match is None:
        msg = (
            "LEAT_WAREHOUSE isn't understood. Next: write ducklake, for a lake in the state folder, or "
            "ducklake?retain=P7D, where files that were replaced stay for seven days (PT12H: twelve hours), or "
            "ducklake:postgresql://user:password@host/database?data=s3://bucket/prefix"
        )
        raise WarehouseError(msg)
    if match[1] is None and match[2] is None:
        return _RETAINED
    return timedelta(days=int(match[1] or 0), hours=int(match[2] or 0))


def check_postgres_url(url: str, variable: str) -> str:
    """Return the URL with the scheme ``postgresql``; an ambiguous one is refused.

    Args:
        url: what the variable says.
        variable: its name, for the message.

    Raises:
        WarehouseError: it can't be read in one way only; the text shows nothing of it.
    """
    wrong = _mistake(url)
    if wrong is not None:
        msg = (
            f"{variable} can't be read: {wrong}. Next: write postgresql://user:password@host:5432/database and "
            "percent-encode what is special in the password: @ as %40, / as %2F, ? as %3F, # as %23, % as %25"
        )
        raise WarehouseError(msg)
    return f"postgresql://{url.split('://', 1)[1]}"


def _mistake(url: str) -> str | None:
    match = _SCHEME.match(url)
    if match is None:
        return "it doesn't begin with postgresql://"
    rest = url[match.end() :]
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    tail = rest[len(authority) :]
    if "#" in tail or "@" in tail.partition("?")[0] or ("@" in tail and "@" not in authority):
        return "the part before the host has a character that isn't percent-encoded"
    user, _, hosts = authority.rpartition("@")
    if "@" in user:
        return "the password has an @ that isn't percent-encoded"
    if _BROKEN_ESCAPE.search(rest):
        return "it has a % that isn't followed by two hexadecimal digits"
    if re.search(r"\s", rest):
        return "it has a blank"
    for host in hosts.split(","):
        port = _HOSTS.fullmatch(host)
        if port is None or (port[1] and not 0 < int(port[1]) < 65536):
            return "the host and its port aren't written as host:5432"
    return None


def shown_url(url: str) -> str:
    """Return host, port and database of a URL that was checked."""
    rest = _SCHEME.sub("", url, count=1)
    return "postgresql://" + rest.partition("?")[0].rpartition("@")[2]


def passwords_in(url: str) -> Iterator[str]:
    """Yield what may be a password in a URL or in libpq's ``key=value`` form, however badly it is written."""
    for match in _PASSWORD.finditer(url):
        yield from _decoded(re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2])
    scheme, mark, rest = url.partition("://")
    if not mark or scheme.lower().startswith("sqlite"):
        return
    ends = [at.start() for at in re.finditer("@", rest)] or [len(re.split(r"[/?#]", rest, maxsplit=1)[0])]
    for end in ends:
        password = rest[:end].partition(":")[2]
        if password and not re.fullmatch(r"\d+", password):
            yield from _decoded(password)
    for key, value in parse_qsl(rest.partition("?")[2]):
        if "password" in key.lower():
            yield from _decoded(value)


def _decoded(password: str) -> Iterator[str]:
    yield password
    if unquote(password) != password:
        yield unquote(password)
