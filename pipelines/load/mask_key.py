"""The key of the hash that replaces masked values: ``LEAT_MASK_KEY``, or a file that is made once per project."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def read_mask_key(state: Path) -> bytes:
    """Return the key; the same for every integration, so that equal values stay equal across systems.

    Args:
        state: the project's state folder; ``mask.key`` in it is made with mode 0600 when the variable isn't set.
    """
    given = os.environ.get("LEAT_MASK_KEY")
    if given:
        return given.encode()
    path = state / "mask.key"
    if not path.exists():
        draft = path.with_suffix(f".{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32), encoding="ascii")
        try:
            os.link(draft, path)  # unlike a rename, it fails when another process was faster
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes().strip()
