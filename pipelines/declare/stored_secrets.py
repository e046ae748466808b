"""The secrets that leat stores for a project: what ``{secret: NAME}`` reads, and the files that they replace.

Nothing is opened before a secret is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from leat.files import to_disk
from leat.pipelines.declare.profile import has_profiles
from leat.pipelines.declare.project_folder import Project
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.sources.errors import NotConfigured
from leat.sources.settings import remember_secret
from leat.warehouse.session import WarehouseError

if TYPE_CHECKING:  # a process that uses no secret shouldn't import SQLAlchemy
    from leat.control.secret_store import SecretStore

log = logging.getLogger("leat.secrets")
_LONGEST = 200
_AGAIN = 60.0
"""Seconds after which the audit log has again that the same process uses a secret."""


def secret_store(project: Project) -> SecretStore:
    """Return the store of a project's secrets.

    Raises:
        DeclarationError: a file in ``policies/`` has a mistake under ``keys``.
        WarehouseError: the control store can't be opened.
    """
    from leat.control.secret_store import SecretStore
    from leat.pipelines.declare.keys import keys_of

    return SecretStore(keys_of(project))


def secret_changes(project: Project, names: Collection[str]) -> list[tuple[str, object]]:
    """Return when secrets were changed, by name; nothing while the control store doesn't answer."""
    if not names:
        return []
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return [(row.name, row.changed_at) for row in secret_store(project).rows() if row.name in names]
    except (SQLAlchemyError, WarehouseError, DeclarationError):
        return []


class ProjectSecrets:
    """See :class:`leat.sources.settings.StoredSecrets`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._noted: dict[tuple[str, str], float] = {}

    def read(self, name: str, user: str) -> str | None:
        """Return a secret, and record that it is used."""
        with self._explained(name, user):
            store = secret_store(self.project)
            value = store.read(name)
            if value is not None and time.monotonic() >= self._noted.get((name, user), 0):
                store.note_use(name, user)
                self._noted[name, user] = time.monotonic() + _AGAIN
        return None if value is None else remember_secret(value)

    def has(self, name: str) -> bool:
        """Return whether there is a secret."""
        with self._explained(name, name):
            return secret_store(self.project).has(name)

    def renew(self, name: str, value: str, user: str) -> None:
        """Store a secret that a server has replaced."""
        remember_secret(value)
        with self._explained(name, user):
            secret_store(self.project).write(name, value, "secret.renewed")

    def take_over(self, path: Path, user: str) -> str | None:
        """Return the name of the secret that has the content of a file from now on, and remove the file.

        A file that is there again later has a newer secret: somebody has signed in again.
        """
        if has_profiles(self.project.folder):
            return None
        name = _name_of(os.path.relpath(path, self.project.folder))
        try:
            content = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError as error:
            if self.has(name):
                return name
            asked, step = f"reading the file {path}", "create the file or name another one"
            raise NotConfigured(user, asked, str(error.strerror), step) from None
        except (OSError, UnicodeDecodeError):
            return None  # whoever reads the file says why
        from sqlalchemy.exc import SQLAlchemyError

        remember_secret(content)
        try:
            store = secret_store(self.project)
            if store.read(name) != content:
                store.write(name, content, "secret.moved")
            path.unlink()  # only now, when the store has it on its disk
            to_disk(path.parent)
        except (WarehouseError, DeclarationError, SQLAlchemyError, OSError) as problem:
            log.warning("%s stays a file: %s", path, problem)
            return None
        return name

    def using_alone(self, name: str) -> AbstractContextManager[None]:
        """Let nobody else use a secret in the block who asks for the same."""
        return secret_store(self.project).using_alone(name)

    @contextlib.contextmanager
    def _explained(self, name: str, user: str) -> Iterator[None]:
        """Say of what goes wrong with keys or the control store what was wanted."""
        from leat.control.keys.problem import KeyProblem

        asked = f"reading the secret {name.removeprefix('@file/')}"
        try:
            yield
        except KeyProblem as problem:
            raise NotConfigured(user, asked, problem.got, problem.next_step) from problem
        except (WarehouseError, DeclarationError) as error:
            raise NotConfigured(user, asked, str(error), "correct that; `leat keys status` looks again") from error


def _name_of(path: str) -> str:
    """Return the name of the secret that a file had; long paths are hashed, for names have 255 characters."""
    return f"@file/{path if len(path) <= _LONGEST else hashlib.sha256(path.encode('utf-8', 'replace')).hexdigest()}"
