"""Secrets that leat makes for itself, once per project, and that older versions had in files of the state folder.

A file is taken over once, and removed when the control store has its content on the disk: a process that is killed
before leaves the file, and the next one does it. A file with another content than the store's goes on to be used: the
state folder of another machine, whose tables have what it made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leat.control.keys.problem import KeyProblem
from leat.control.keys.tree import Purpose
from leat.control.secret_store import SecretStore
from leat.files import to_disk

log = logging.getLogger("leat.secrets")


@dataclass(frozen=True, slots=True)
class OwnSecret:
    """A secret that leat makes.

    Attributes:
        name: its name, which begins with ``@``.
        file: name of the file in the state folder that it replaces.
        new: makes one.
        of_file: returns the secret as text that a file has.
        purpose: whose data key encrypts it.
    """

    name: str
    file: str
    new: Callable[[], str]
    of_file: Callable[[bytes], str]
    purpose: Purpose = "secrets"


def own_secret(store: Callable[[], SecretStore], own: OwnSecret, state: Path) -> str:
    """Return a secret that leat made, or makes now; the first process wins.

    Args:
        store: returns the secrets of the project.
        own: the secret.
        state: the state folder.

    Raises:
        KeyProblem: there is no file of it, and it can't be decrypted.
    """
    path = state / own.file
    try:
        there = own.of_file(path.read_bytes())
    except FileNotFoundError:
        return store().make(own.name, own.new(), purpose=own.purpose)
    try:
        if store().make(own.name, there, "secret.moved", own.purpose) == there:
            path.unlink(missing_ok=True)
            to_disk(path.parent)
        else:
            log.warning("%s has another secret than the control store; leat uses the file's", path)
    except (KeyProblem, OSError) as problem:
        log.warning("%s stays a file: %s", path, problem)
    return there
