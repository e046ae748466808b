"""The keys of a project: which there are, replacing them, and encrypting again what old ones have encrypted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from leat.runs.encrypted_places import columns_place, files_place
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.control.keys.rotation import Place, Reencrypted
    from leat.control.keys.tree import Keys


@dataclass(frozen=True, slots=True)
class KeyStatus:
    """A data key: what it is for, ``current``, ``old`` or ``retired``, and how many values it has encrypted."""

    key: str
    purpose: str
    state: str
    kek: str
    created_at: datetime
    values: int


@dataclass(frozen=True, slots=True)
class KeysStatus:
    """The keys of a project.

    Attributes:
        provider: which provider has the key-encryption key.
        where: where that is.
        problem: why it can't be used; None if it can, or nothing is encrypted yet.
        keys: the data keys, the oldest first.
    """

    provider: str
    where: str
    problem: str | None
    keys: Sequence[KeyStatus]


def project_keys(workspace: Workspace) -> Keys:
    """Return the keys of a project.

    Raises:
        DeclarationError: a file in ``policies/`` has a mistake under ``keys``.
        NotConfigured: a variable or a file that is named there isn't there.
        WarehouseError: the control store can't be opened.
    """
    from leat.pipelines.declare.keys import keys_of

    return keys_of(workspace.project)


def places(workspace: Workspace) -> list[Place]:
    """Return every place that has encrypted values."""
    return [place for find in PLACES for place in find(workspace)]


def _control_store(workspace: Workspace) -> Iterable[Place]:
    from leat.control.keys.people import PeoplePlace
    from leat.control.secret_store import SecretsPlace

    keys = project_keys(workspace)
    return [SecretsPlace(keys), PeoplePlace(keys)]


PLACES: tuple[Callable[[Workspace], Iterable[Place]], ...] = (_control_store, columns_place, files_place)
"""What finds the places with encrypted values: a key is retired only when none of them has any of its values."""


def keys_status(workspace: Workspace) -> KeysStatus:
    """Return how the keys of a project are.

    Raises:
        DeclarationError: a file in ``policies/`` has a mistake under ``keys``.
        WarehouseError: the control store can't be opened.
    """
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from leat.control.key_tables import DataKeyRow

    keys, there = project_keys(workspace), places(workspace)
    with Session(keys.engine) as session:
        rows = list(session.scalars(select(DataKeyRow).order_by(DataKeyRow.created_at, DataKeyRow.kid)))
    listed = [
        KeyStatus(row.kid, row.purpose, row.state, row.kek, row.created_at, sum(p.count([row.kid]) for p in there))
        for row in rows
    ]
    return KeysStatus(keys.provider.name, keys.provider.where(), key_problem(workspace), listed)


def key_problem(workspace: Workspace) -> str | None:
    """Return why the data keys can't be unwrapped; None if they can, or there is none."""
    from leat.control.keys.problem import KeyProblem

    try:
        project_keys(workspace).check()
    except KeyProblem as problem:
        return str(problem)
    return None


def check_keys(workspace: Workspace) -> None:
    """See that what is encrypted can be decrypted.

    Raises:
        KeyProblem: the key-encryption key isn't there, or isn't the right one.
    """
    project_keys(workspace).check()


def rotate_keys(workspace: Workspace) -> int:
    """Replace every data key by a new one; return how many. Old ones still decrypt.

    Raises:
        KeyProblem: the key-encryption key isn't there, or isn't the right one.
    """
    from leat.control.keys.rotation import rotate

    return len(rotate(project_keys(workspace)))


def rewrap_keys(workspace: Workspace) -> int:
    """Wrap every data key under a new key-encryption key; return how many.

    Raises:
        KeyProblem: leat can't make a new one there, or the old one isn't the right one.
        Busy: another process does the same.
    """
    from leat.control.keys.rotation import rewrap

    return len(rewrap(project_keys(workspace)))


def reencrypt_values(workspace: Workspace, progress: Callable[[str, int], None], wait: float) -> Reencrypted:
    """Encrypt everything again that old keys have encrypted, and retire those.

    Args:
        workspace: the project.
        progress: called with a place, and how many values since the last call.
        wait: seconds to wait for whoever holds an old key.

    Raises:
        KeyProblem: the key-encryption key isn't there, or isn't the right one.
    """
    from leat.control.keys.rotation import reencrypt

    return reencrypt(project_keys(workspace), places(workspace), progress=progress, wait=wait)
