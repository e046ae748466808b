"""What the columns of an endpoint leave of a record: the fields that nobody declared, as the server wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from leat.sources import json_raw as raw
from leat.sources.json_path import Path

Tree = dict[str, Any]
"""Names that are declared, and below each the same; None where the whole value is a column's."""


def tree_of(paths: Iterable[Path]) -> Tree | None:
    """Return what is declared as a tree; None when a column takes the whole record."""
    tree: Tree = {}
    for path in sorted(paths, key=len):
        if not path:
            return None
        inner = tree
        for step in path[:-1]:
            below = inner.setdefault(str(step), {})
            if below is None:  # a column takes all of it
                break
            inner = below
        else:
            inner[str(path[-1])] = None
    return tree


def undeclared_in(fields: Mapping[str, msgspec.Raw], tree: Tree) -> dict[str, msgspec.Raw]:
    """Return what of an object isn't declared, without nulls."""
    left = {}
    for name in fields.keys() - tree.keys():
        if bytes(fields[name]) != b"null":
            left[name] = fields[name]
    for name, below in tree.items():
        if below is not None and name in fields:
            value = bytes(fields[name])
            inner = raw.opened(value)
            deeper = None if inner is None else undeclared_in(inner, below)
            if deeper:
                left[name] = msgspec.Raw(msgspec.json.encode(deeper))
            elif inner is None and value != b"null":
                left[name] = fields[name]
    return {name: left[name] for name in fields if name in left} if len(left) > 1 else left
