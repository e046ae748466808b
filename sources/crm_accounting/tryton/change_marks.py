"""What is remembered between runs of each record, in a private file that the cursor names by its content.

A file that the cursor doesn't name is never believed: a run that was killed before its rows were applied leaves one
behind. Without the file everything is read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from leat.sources.crm_accounting.tryton.changes import Marks


@dataclass(slots=True)
class Known:
    """What is remembered of one kind of record.

    Attributes:
        marks: by model, when each record was changed and what it belongs to.
        names: digest of the names that the rows borrow from other records.
    """

    marks: dict[str, Marks] = field(default_factory=dict)
    names: str = ""


def load(folder: Path, name: str | None) -> dict[str, Known]:
    """Return what is remembered by kind; nothing when the file isn't there or isn't what the cursor names.

    Other files are removed, unless there is no cursor: the extraction may be one of some streams beside it.
    """
    if name is None:
        return {}
    for file in folder.glob("known-*.json"):
        if file.name != f"known-{name}.json":
            file.unlink()
    try:
        content = (folder / f"known-{name}.json").read_bytes()
    except OSError:
        return {}
    if _digest(content) != name:
        return {}
    return {
        kind: Known({model: _marks(rows) for model, rows in each["marks"].items()}, each["names"])
        for kind, each in json.loads(content).items()
    }


def _marks(rows: list[tuple[int, int, list[int]]]) -> Marks:
    return {number: (changed, tuple(owners)) for number, changed, owners in rows}


def save(folder: Path, known: Mapping[str, Known]) -> str:
    """Write what is remembered beside the file of before; return its name for the cursor."""
    value = {
        kind: {
            "names": each.names,
            "marks": {
                model: [(number, changed, owners) for number, (changed, owners) in sorted(marks.items())]
                for model, marks in each.marks.items()
            },
        }
        for kind, each in known.items()
    }
    content = json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
    name = _digest(content)
    draft = folder / "known.draft"
    draft.touch(mode=0o600)
    draft.write_bytes(content)
    draft.replace(folder / f"known-{name}.json")
    return name


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:24]
