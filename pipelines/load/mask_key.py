"""The key of the hash that replaces masked values: ``LEAT_MASK_KEY``, or a file that is made once per project."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from leat.files import write_once


def read_mask_key(state: Path) -> bytes:
    """Return the key; the same for every integration, so that equal values stay equal across systems.

    Args:
        state: the project's state folder; ``mask.key`` in it is made with mode 0600 when the variable isn't set.
    """
    given = os.environ.get("LEAT_MASK_KEY")
    if given:
        return given.encode()
    return write_once(state / "mask.key", secrets.token_hex(32).encode(), durable=True).strip()
