"""``leat subject find`` and ``export``: where a person's data is, and a copy of it."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leat.control.holds import HoldRow, read_holds
from leat.control.subject_sweep import StoredIn, find_stored, rows_stored
from leat.control.subjects import RequestRow, find_requests
from leat.files import draft_of
from leat.runs.access import record
from leat.runs.subjects.declared_holds import follow_declared
from leat.runs.subjects.files import naming_files
from leat.runs.subjects.finding import Mentioned, conditions, count_rows
from leat.runs.subjects.identities import Person
from leat.runs.subjects.opened import Asked, asked, may
from leat.runs.subjects.tables import PeopleTable
from leat.runs.workspace import Workspace
from leat.sources.batch import to_json
from leat.sources.identity import Identity
from leat.warehouse.connect import warehouse_files
from leat.warehouse.session import Session, quote


@dataclass(frozen=True, slots=True)
class Seen:
    """Where a person's data is.

    Attributes:
        person: who, with all identities.
        tables: columns of the warehouse that name them.
        stored: columns of the control store that do.
        files: files of the state folder that do, apart from the warehouse's and the control store's.
        erasures: of the person, the newest first.
        holds: legal holds on their data.
    """

    person: Person
    tables: list[Mentioned]
    stored: list[StoredIn]
    files: list[str]
    erasures: list[RequestRow]
    holds: list[HoldRow]


def find(
    workspace: Workspace,
    given: Identity,
    also: Sequence[Identity] = (),
    *,
    follow: bool = True,
    now: datetime | None = None,
) -> Seen:
    """Return where a person's data is.

    Raises:
        Forbidden: who runs this process may not see that.
    """
    may(workspace, "read")
    follow_declared(workspace, now or datetime.now(UTC))
    with asked(workspace, given, also, follow=follow) as (who, session, tables):
        results = [] if session is None else count_rows(session, tables, who.who)
    stored, erasures = find_stored(workspace.store, who.names()), find_requests(workspace.store, given)
    identities = set(who.person.listed)
    holds = [hold for hold in read_holds(workspace.store) if identities & set(hold.identities)]
    return Seen(who.person, results, stored, files_naming(workspace, who), erasures, holds)


def files_naming(workspace: Workspace, who: Asked) -> list[str]:
    """Return the files of the state folder that name a person, without those of the warehouse and the control store."""
    state = workspace.project.state
    return [str(path.relative_to(state)) for path in naming_files(state, who.searcher, apart(workspace))]


def apart(workspace: Workspace) -> list[Path]:
    """Return the files of the state folder that are searched by what is in them: warehouse and control store."""
    state = workspace.project.state
    control = _control_file(workspace.project.control_url)
    names = [control.name, *(f"{control.name}{suffix}" for suffix in ("-wal", "-shm", "-journal"))]
    warehouse = [*warehouse_files(state), role_files(workspace)]
    return [*warehouse, *(control.parent / name for name in names)]


def _control_file(url: str) -> Path:
    """Return the file of the control store, which nobody may open and close who has connections to it.

    POSIX ends all locks of a process on a file when it closes any descriptor of it.
    """
    from sqlalchemy.engine import make_url

    return Path(make_url(url).database or "control.db")


def role_files(workspace: Workspace) -> Path:
    """Return the folder of the files of roles, which are made of the published one."""
    grants = workspace.security.grants
    if grants is None or grants.folder is None:
        return workspace.project.state / "clearance"
    return workspace.project.folder / grants.folder


def export(
    workspace: Workspace, given: Identity, to: Path, also: Sequence[Identity] = (), *, follow: bool = True
) -> tuple[Person, int]:
    """Write all rows that name a person to a file, as JSON lines; returns the person, and how many rows.

    Raises:
        Forbidden: who runs this process may not do that.
        OSError: the file is there already, or can't be written.
    """
    may(workspace, "export")
    if to.exists():
        raise FileExistsError(errno.EEXIST, "there is a file already", str(to))
    number = 0
    with (
        asked(workspace, given, also, follow=follow) as (who, session, tables),
        draft_of(to) as draft,
        draft.open("w", encoding="utf-8") as file,
    ):
        for line in _lines(workspace, who, session, tables):
            file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
            number += 1
    record(workspace, "subject.exported", {"rows": number, "identities": len(who.person.identities)})
    return who.person, number


def _lines(
    workspace: Workspace, who: Asked, session: Session | None, tables: Sequence[PeopleTable]
) -> Iterator[dict[str, Any]]:
    for table in tables if session is not None else ():
        for row in _rows(session, table, who):  # type: ignore[arg-type] # there are no tables without it
            yield {"table": str(table), "row": row}
    for name, row in rows_stored(workspace.store, who.names()):
        yield {"table": f"control.{name}", "row": json.loads(to_json(row))}


def _rows(session: Session, table: PeopleTable, who: Asked) -> Iterator[dict[str, Any]]:
    tests = conditions(session, table, who.who)
    if not tests:
        return
    names = [name for name, kind in table.columns.items() if kind != "?"]
    listed = ", ".join(map(quote, names))
    anyhow = " OR ".join(test.sql for test in tests.values())
    params = [value for test in tests.values() for value in test.params]
    for row in session.execute(f"SELECT {listed} FROM {table.quoted} WHERE {anyhow}", params):
        yield json.loads(to_json({name: _read(table, name, v, who) for name, v in zip(names, row, strict=True)}))


def _read(table: PeopleTable, name: str, value: Any, who: Asked) -> Any:
    """Return a value, in clear; JSON as what it says."""
    if who.texts is not None:
        value = who.texts.reader.value(value)
    if table.kind_of(name) != "json" or not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
