"""Where a server that refuses to run as root stores its files, so that another user gets at them."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

NOBODY = 65534


def place_of(folder: Path, name: str, user: int | None, longest: int = 4096) -> Path:
    """Return the folder of a server's files: a subfolder where its user gets there, else one of its own under /tmp.

    Args:
        folder: where they should be.
        name: of the server, part of the folder's name under /tmp.
        user: id of the user that the server runs as; None when it is the one who starts it.
        longest: how many characters the path may have; a Unix socket's has at most 107.

    Raises:
        RuntimeError: the folder under /tmp belongs to someone else.
    """
    place = folder.resolve() / "server"
    if len(str(place)) > longest or (user is not None and not is_open_to_all(folder)):
        digest = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
        place = Path(tempfile.gettempdir()) / f"leat-{name}-{digest}"
        _forget_namesake(folder / f"{name}-place", place)
    place.mkdir(exist_ok=True, mode=0o755)
    _refuse_foreign(place)
    place.chmod(0o755 if user is not None else 0o700)
    return place


def _forget_namesake(marker: Path, place: Path) -> None:
    """Remove what a folder of the same path, which is gone by now, has left; the marker says which are of this one."""
    if marker.exists():
        return
    if place.exists():
        _refuse_foreign(place)
        shutil.rmtree(place)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _refuse_foreign(place: Path) -> None:
    if place.is_symlink() or place.stat().st_uid != os.geteuid():
        msg = f"{place} belongs to someone else; remove it, or set TMPDIR"
        raise RuntimeError(msg)


def is_open_to_all(folder: Path) -> bool:
    """Return whether every user gets at what is in a folder."""
    folder = folder.resolve()
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))
