"""One published file for each role, with the tables, columns and rows that the role may read, and nothing else.

DuckDB has no users, so what somebody may read is what is in the file that they may open. The files are made of the
published one, after each publication: a table that hasn't changed stays as it is in a copy of the role's last file, and
all are made from scratch when somebody may read less than before, because DuckDB doesn't erase what is dropped.

::

    warehouse.duckdb --SELECT what analysts may read--> .made/analyst.duckdb --rename--> clearance/analyst.duckdb

``writer/clearance.json`` says what is in the files. It is written after them: a kill in between costs some work.
"""

from __future__ import annotations

import grp
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leat.files import atomic_write
from leat.warehouse.clearance import NOBODY, AccessPlan, Clearances, Membership, Table
from leat.warehouse.duckdb.clearance_file import Contents, build_file, contents_of
from leat.warehouse.duckdb.publication import DuckDBPublication, copy_file
from leat.warehouse.duckdb.rewrite import FROM_SCRATCH
from leat.warehouse.duckdb.session import DuckDBSession
from leat.warehouse.duckdb.writer import WriterFile, explaining_the_disk, in_memory
from leat.warehouse.locks import file_lock
from leat.warehouse.session import Decide, WarehouseError, literal

_WAIT = 600.0
_MADE = ".made"
"""The private folder in which files are made, next to those that are ready."""
_MISSING = "nothing was made for roles since policies/ changed. Next: `leat access apply`, or `leat run`"


@dataclass(slots=True)
class ClearanceFiles:
    """The files of roles.

    Args:
        writer: the writer's file, next to which lies what says what is in them.
        publication: the published file.
        default: their folder, unless another one is declared.
        decide: decides what each role may read.
    """

    writer: WriterFile
    publication: DuckDBPublication
    default: Path
    decide: Decide = NOBODY

    def follow(self) -> None:
        """Make the files of what is published and permitted now.

        Raises:
            Busy: another process has been making them for too long.
            WarehouseError: the disk is full, or a group isn't there.
        """
        mark = self.decide.mark()
        if mark is None and not self._note.exists():
            return
        if not self.publication.path.exists() or self._is_current(mark):
            return
        lock = self.writer.path.with_name("clearance.lock")
        with file_lock(lock, _WAIT, "the files of roles"), explaining_the_disk(self.default):
            self._make(self._noted())

    def path_of(self, role: str) -> Path:
        """Return the file that a role may read.

        Raises:
            WarehouseError: there is none, or it was made by other policies than those of now.
        """
        noted = self._noted()
        path = noted.get("roles", {}).get(role, {}).get("path")
        if noted.get("mark") != self.decide.mark():
            raise WarehouseError(_MISSING)
        if path is None or not Path(path).exists():
            msg = f"the role {role} may read no table. Next: ask an administrator, who may permit it in policies/"
            raise WarehouseError(msg)
        return Path(path)

    def paths(self) -> list[Path]:
        """Return the files that were made last."""
        return [Path(each["path"]) for each in self._noted().get("roles", {}).values()]

    def plan(self, clearances: Clearances) -> AccessPlan:
        """Return what would become of the files; nothing is changed."""
        noted = self._noted().get("roles", {})
        wanted = {role: self._path(clearances, role) for role, tables in clearances.roles.items() if tables}
        is_current = self._is_current(clearances.mark if clearances.roles else None)
        changes = [
            f"-- make {path}: {len(clearances.roles[role])} tables" + _mode(clearances.groups.get(role))
            for role, path in wanted.items()
            if not is_current or str(path) != noted.get(role, {}).get("path")
        ]
        changes += [
            f"-- remove {each['path']}"
            for role, each in noted.items()
            if str(wanted.get(role)) != each["path"] and Path(each["path"]) != self.publication.path
        ]
        return AccessPlan(changes, {role: str(path) for role, path in wanted.items()})

    def membership(self, clearances: Clearances) -> list[Membership]:
        """Return the accounts of the machine that are in the group of a role."""
        listed = []
        for role, group in clearances.groups.items():
            try:
                members = grp.getgrnam(group).gr_mem
            except KeyError:
                continue
            listed += [Membership(role, f"group {group}", member) for member in members]
        return sorted(listed, key=str)

    @property
    def _from_scratch(self) -> Path:
        """Whether the writer's file was rewritten, so that nothing is left of rows that were dropped."""
        return self.writer.path.with_name(FROM_SCRATCH)

    @property
    def _note(self) -> Path:
        return self.writer.path.with_name("clearance.json")

    def _noted(self) -> dict[str, Any]:
        try:
            noted: dict[str, Any] = json.loads(self._note.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return noted

    def _is_current(self, mark: str | None) -> bool:
        noted = self._noted()
        return (noted.get("mark"), noted.get("published")) == (mark, self._version())

    def _version(self) -> list[int] | None:
        version = self.publication.version()
        return None if version is None else list(version)

    def _path(self, clearances: Clearances, role: str) -> Path:
        """Return the file of a role: the published one for whoever may read all of it, unless a group may as well."""
        if role not in clearances.groups and clearances.is_whole(role):
            return self.publication.path
        return (clearances.folder or self.default) / f"{role}.duckdb"

    def _make(self, noted: Mapping[str, Any]) -> None:
        version = self._version()
        with in_memory() as connection:
            session = DuckDBSession(connection, self.writer.form.dialect)
            session.execute(f"SET memory_limit = '{self.writer.memory}'")
            session.execute(f"SET temp_directory = {literal(str(self.writer.path.with_name('tmp')))}")
            self.writer.form.attach(connection, self.publication.path, "warehouse", read_only=True)
            session.execute("USE warehouse")
            session.execute("SET TimeZone = 'UTC'")
            clearances = self.decide(session) or Clearances({})
            roles: dict[str, Any] = {}
            for role, tables in clearances.roles.items():
                path = self._path(clearances, role)
                if tables:
                    whole = clearances.is_whole(role)
                    roles[role] = {"path": str(path), "whole": whole, "tables": contents_of(session, tables)}
                    old = None if self._from_scratch.exists() else noted.get("roles", {}).get(role)
                    if path != self.publication.path:
                        self._make_one(session, role, clearances, roles[role], old)
        self._remove(clearances, noted, {Path(each["path"]) for each in roles.values()})
        if roles or clearances.roles:
            note = {"mark": clearances.mark, "published": version, "roles": roles}
            atomic_write(self._note, json.dumps(note))
        else:
            self._note.unlink(missing_ok=True)
        self._from_scratch.unlink(missing_ok=True)

    def _remove(self, clearances: Clearances, noted: Mapping[str, Any], used: set[Path]) -> None:
        """Remove the files of roles that may read nothing any longer, or whose file is elsewhere now."""
        earlier = {Path(each["path"]) for each in noted.get("roles", {}).values()}
        here = {(clearances.folder or self.default) / f"{role}.duckdb" for role in clearances.roles}
        for path in (earlier | here) - used - {self.publication.path}:
            path.unlink(missing_ok=True)
        for folder in {path.parent for path in earlier | here}:
            shutil.rmtree(folder / _MADE, ignore_errors=True)

    def _make_one(
        self,
        session: DuckDBSession,
        role: str,
        clearances: Clearances,
        wanted: Mapping[str, Any],
        old: Mapping[str, Any] | None,
    ) -> None:
        path, contents, tables = Path(wanted["path"]), wanted["tables"], clearances.roles[role]
        group = _group_id(clearances.groups.get(role))
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if clearances.folder is None else 0o755)
        made = path.parent / _MADE / path.name  # DuckDB makes a file that everybody may read
        made.parent.mkdir(mode=0o700, exist_ok=True)
        made.unlink(missing_ok=True)
        if wanted["whole"]:
            copy_file(self.publication.path, made)
        else:
            there: Contents = {}
            if old is not None and _goes_on(old, wanted) and path.exists():
                there = old["tables"]
                copy_file(path, made)
            changed = {name: each for name, each in tables.items() if _changed(there, contents, name)}
            build_file(session, self.writer.form, made, changed, tables)
        if group is not None:
            os.chown(made, -1, group)
        made.chmod(0o600 if group is None else 0o640)
        made.replace(path)


def _changed(there: Contents, contents: Contents, name: Table) -> bool:
    key = ".".join(name)
    return key not in there or contents[key][1] is None or there[key] != contents[key]


def _goes_on(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether the role may still read, and in the same way, all that is in its file, made of single tables."""
    there = new["tables"]
    still = all(name in there and there[name][0] == how for name, (how, _) in old["tables"].items())
    return still and old["path"] == new["path"] and not old["whole"]


def _group_id(group: str | None) -> int | None:
    if group is None:
        return None
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        msg = f"this machine has no group {group}, which grants.files.groups names. Next: make it, or name another one"
        raise WarehouseError(msg) from error


def _mode(group: str | None) -> str:
    return "" if group is None else f", readable by the group {group}"
