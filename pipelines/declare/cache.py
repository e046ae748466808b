"""A cache in the state folder of what was computed from files, so that it isn't computed again while they don't change.

Parsing the queries of a project takes seconds. The cache may be deleted any time; errors aren't stored.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from leat.files import atomic_write, make_private
from leat.pipelines.declare.project import Project

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


def digest(files: Iterable[Path], *values: Any) -> str:
    """Return a hash of the names and contents of files, and of JSON values."""
    hashed = hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode())
    for file in files:
        hashed.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return hashed.hexdigest()


def get_or_compute(
    project: Project, name: str, key: str, adapter: TypeAdapter[T], compute: Callable[[], T], *, write: bool
) -> T:
    """Return what is stored under a name, if it has that key; otherwise compute it and store it.

    Args:
        project: the project, which may have no state folder yet.
        name: name of the file in the cache.
        key: changes when what it is computed from does.
        adapter: turns it to JSON and back.
        compute: computes it; what it raises is passed on, and nothing is stored.
        write: whether it may be written; definitions of Dagster write nothing.
    """
    path = project.state / "cache" / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        stored = json.loads(path.read_bytes())
        if stored["key"] == key:
            return adapter.validate_python(stored["value"])
    value = compute()
    if write and project.state.is_dir():
        plain = adapter.dump_python(value, mode="json", exclude_unset=True)
        with contextlib.suppress(OSError):  # a full disk costs time, not the run
            make_private(path.parent)
            atomic_write(path, json.dumps({"key": key, "value": plain}))
    return value
