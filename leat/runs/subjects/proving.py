"""The proof of an erasure: every place is searched for the person, and what is left is listed with why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from leat.control.subject_sweep import find_stored
from leat.runs.subjects.finding import count_rows
from leat.runs.subjects.identities import is_loaded
from leat.runs.subjects.looking import files_naming, role_files
from leat.runs.subjects.opened import Asked
from leat.runs.subjects.tables import people_tables
from leat.runs.workspace import Workspace
from leat.sources.subject import ADDRESSES, NAME
from leat.warehouse.connect import warehouse_files

_CURSOR = "a driver can't continue without it; it names accounts that the declaration names: remove them there"
_ID = "an id of the system without anything of the person; other rows name it"


@dataclass(frozen=True, slots=True)
class Left:
    """Something that still names the person: where, how often, and why it may; None where it may not."""

    where: str
    rows: int
    why: str | None


def search_everywhere(workspace: Workspace, who: Asked) -> list[Left]:
    """Return what still names a person: in the warehouse, in its files, in the control store and in other files."""
    left = _in_tables(workspace, who)
    left += [Left(f"control.{each.table}.{each.column}", each.rows, None)
             for each in find_stored(workspace.store, who.names())]  # fmt: skip
    left += [Left(path, 1, None) for path in files_naming(workspace, who)]
    state = workspace.project.state
    of_roles = sorted(role_files(workspace).glob("*.duckdb"))
    written = [inside for path in warehouse_files(state) for inside in (path, *sorted(path.glob("**/*")))]
    for path in (*of_roles, *written):
        if path.is_file() and who.searcher.finds_in(path):
            named = any(each.where.startswith("leat.cursors") for each in left)
            shown = path.relative_to(state) if path.is_relative_to(state) else path
            left.append(Left(str(shown), 1, _CURSOR if named else None))
    return left


def _in_tables(workspace: Workspace, who: Asked) -> list[Left]:
    with workspace.warehouse.snapshot() as session:
        if not is_loaded(session):
            return []
        tables = people_tables(workspace, session)
        named = [each for each in who.person.listed if each[0] in ADDRESSES or each[0] == NAME]
        ids = [each for each in who.person.listed if each not in named]
        left = [
            Left(f"{each.table}.{each.column}", each.rows, _CURSOR if each.table == "leat.cursors" else None)
            for each in count_rows(session, tables, replace(who.who, identities=named))
        ]
        of_ids = count_rows(session, tables, replace(who.who, identities=ids))
        return left + [Left(f"{each.table}.{each.column}", each.rows, _ID) for each in of_ids]
