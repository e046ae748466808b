"""The key of the hash that replaces masked values: ``LEAT_MASK_KEY``, or a secret that is made once per project."""

from __future__ import annotations

import os
import secrets

from leat.pipelines.declare.project import Project

NAME, FILE = "@mask_key", "mask.key"


def read_mask_key(project: Project) -> bytes:
    """Return the key; the same for every integration, so that equal values stay equal across systems.

    It is in the control store, encrypted; ``mask.key`` in the state folder, where it was, is taken over once.

    Raises:
        KeyProblem: it can't be decrypted.
    """
    given = os.environ.get("LEAT_MASK_KEY")
    if given:
        return given.encode()
    from leat.control.own_secrets import OwnSecret, own_secret
    from leat.pipelines.declare.stored_secrets import secret_store

    own = OwnSecret(NAME, FILE, lambda: secrets.token_hex(32), lambda content: content.decode().strip())
    return own_secret(lambda: secret_store(project), own, project.state).encode()
