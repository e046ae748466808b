"""What is remembered between runs of each record, in a file that the cursor names.

Without the file everything is read again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from leat.sources.crm_accounting.tryton.changes import Marks
from leat.sources.sidecar import Sidecar


@dataclass(slots=True)
class ChangeMarks:
    """What is remembered of one kind of record.

    Attributes:
        marks: by model, when each record was changed and what it belongs to.
        names: digest of the names that the rows borrow from other records.
    """

    marks: dict[str, Marks] = field(default_factory=dict)
    names: str = ""


def load(sidecar: Sidecar, name: str | None) -> dict[str, ChangeMarks]:
    """Return what is remembered by kind; nothing when the file that the cursor names is gone."""
    return {
        kind: ChangeMarks({model: _marks(rows) for model, rows in each["marks"].items()}, each["names"])
        for kind, each in json.loads(sidecar.read(name) or b"{}").items()
    }


def _marks(rows: list[tuple[int, int, list[int]]]) -> Marks:
    return {number: (changed, tuple(owners)) for number, changed, owners in rows}


def save(sidecar: Sidecar, marks_of: Mapping[str, ChangeMarks]) -> str:
    """Write what is remembered; return the name of the file for the cursor."""
    value = {
        kind: {
            "names": each.names,
            "marks": {
                model: [(number, changed, owners) for number, (changed, owners) in sorted(marks.items())]
                for model, marks in each.marks.items()
            },
        }
        for kind, each in marks_of.items()
    }
    return sidecar.write(json.dumps(value, separators=(",", ":"), sort_keys=True).encode())
