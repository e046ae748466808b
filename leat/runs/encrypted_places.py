"""Where data keys have encrypted the warehouse: its columns, and the files of DuckDB; for `leat keys reencrypt`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from leat.pipelines.load import state
from leat.pipelines.load.reencrypt import count_cells, reencrypt
from leat.runs.data_keys import file_keys
from leat.runs.publish import publish
from leat.runs.workspace import Workspace
from leat.warehouse.connect import may_be_there
from leat.warehouse.session import NothingPublished, Session

if TYPE_CHECKING:
    from leat.control.keys.rotation import Place


_WAIT = 5.0
"""Seconds to wait for a load; whoever asks may have the control store locked."""


@dataclass(frozen=True, slots=True)
class ColumnsPlace:
    """The encrypted columns of the warehouse; they change together, whatever the size of a batch."""

    workspace: Workspace
    name: str = "encrypted columns"

    def count(self, kids: Collection[str]) -> int:
        """Return how many values have ciphertexts of one of these keys, also in what readers see; at least 1 if any.

        Raises:
            Busy: a load is being applied.
        """
        self.workspace.warehouse.keys_in_use(_WAIT)  # else a snapshot would wait for a load, and others for the caller
        with self.workspace.warehouse.snapshot() as session:
            count = _cells(session, kids)
        try:
            with self.workspace.warehouse.published() as session:
                return max(count, _cells(session, kids))
        except NothingPublished:
            return count

    def reencrypt(self, kids: Collection[str], _limit: int) -> int:
        """Encrypt all values with the current key and publish them; return how many, 0 if they had it already.

        Raises:
            Busy: a load is being applied, or an integration with encrypted columns is being loaded.
        """
        keys, warehouse = self.workspace.column_keys, self.workspace.warehouse
        if not self.count(kids):
            return 0
        names = [name for name, each in self.workspace.declarations.items() if each.encrypts]
        done = reencrypt(warehouse, keys, names, self.workspace.project.state, datetime.now(UTC))
        publish(self.workspace.store, warehouse, None)
        return done.values


@dataclass(frozen=True, slots=True)
class FilesPlace:
    """The files of an encrypted DuckDB warehouse."""

    workspace: Workspace
    name: str = "files of the warehouse"

    def count(self, kids: Collection[str]) -> int:
        """Return how many of these keys the files were encrypted with.

        Raises:
            Busy: a load is being applied.
        """
        keys = file_keys(self.workspace.project)
        return sum(keys[number].kid in kids for number in self.workspace.warehouse.keys_in_use(_WAIT))

    def reencrypt(self, kids: Collection[str], _limit: int) -> int:
        """Write the files with the current key, as a publication; return how many have changed."""
        before = self.count(kids)
        if before:
            publish(self.workspace.store, self.workspace.warehouse, None)
        return before - self.count(kids) if before else 0


def columns_place(workspace: Workspace) -> Iterable[Place]:
    """Return the columns, where there is a warehouse."""
    project = workspace.project
    return [ColumnsPlace(workspace)] if may_be_there(project.warehouse_url, project.state) else []


def files_place(workspace: Workspace) -> Iterable[Place]:
    """Return the files, where they are encrypted with keys of the tree."""
    with_tree = workspace.project.file_encryption.removeprefix("decrypt:") == "keys"
    return [FilesPlace(workspace)] if with_tree and workspace.project.warehouse_url is None else []


def _cells(session: Session, kids: Collection[str]) -> int:
    key = state.read_column_key(session)
    return max(1, count_cells(session)) if key is not None and key.kid in kids else 0
