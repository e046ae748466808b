"""Driver: a control store by its SQLAlchemy URL, SQLite or Postgres."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from leat.sources.driver import ConnectionModel, SetupTest, Sync
from leat.sources.errors import IntegrationError
from leat.sources.events import Cursor, Event
from leat.sources.platform.sql.changes import has_news, read_changes
from leat.sources.platform.sql.store import snapshot
from leat.sources.platform.streams import STREAMS
from leat.sources.settings import HOW, Named, Setting, read_secret


def _no_password(url: str | Named | None) -> str | Named | None:
    if isinstance(url, str) and re.search(r"://[^/@]*:[^/@]*@|[?&]password=", url):
        msg = f"a URL with a password is never written here; name it: {HOW}"
        raise ValueError(msg)
    return url


class Connection(ConnectionModel):
    """Which control store; without a URL the project's own."""

    url: Annotated[Setting | None, AfterValidator(_no_password)] = Field(
        default=None, description="SQLAlchemy URL of the control store; left out: that of this project."
    )


def setup_tests(connection: Connection, sync: Sync) -> Iterator[SetupTest]:
    """Open the store and look for its tables."""
    try:
        with snapshot(sync.integration, _url(connection, sync)) as store:
            yield SetupTest("readable", True, f"a control store on {store.dialect.name}")
    except IntegrationError as error:
        yield SetupTest("readable", False, str(error))


def extract(connection: Connection, sync: Sync) -> Generator[Event]:
    """Yield what is new since the cursor, or nothing at all when nothing but quiet rows is.

    The cursor has one value per stream, so that a stream that is selected later is read from its start.

    Raises:
        IntegrationError: the store can't be read; the class says why.
    """
    selected = [stream for stream in STREAMS if stream.name in sync.streams]
    before = sync.cursor or {}
    with snapshot(sync.integration, _url(connection, sync)) as store:
        if not any(has_news(store, stream, before.get(stream.name)) for stream in selected):
            return
        after: dict[str, Any] = {}
        for stream in selected:
            after[stream.name] = yield from read_changes(store, stream, before.get(stream.name), sync)
        yield Cursor(after)


def _url(connection: Connection, sync: Sync) -> str:
    """Return the URL of the store; like every URL that may hold a password, it never gets into logs."""
    if isinstance(connection.url, str):
        return connection.url
    if connection.url is not None:
        return read_secret(connection.url, sync.integration, sync.project)
    if os.environ.get("LEAT_CONTROL"):
        return read_secret(Named(env="LEAT_CONTROL"), sync.integration)
    profile = os.environ.get("LEAT_PROFILE")
    default = sync.project / ".leat" / "profiles" / profile if profile else sync.project / ".leat"
    state = Path(os.environ.get("LEAT_HOME") or default)
    return f"sqlite:///{state / 'control.db'}"
