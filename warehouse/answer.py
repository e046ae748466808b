"""What a reader's query may take, and its answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]B)", re.IGNORECASE)
_BYTES: Mapping[str, int] = MappingProxyType({"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12})


@dataclass(frozen=True, slots=True)
class Limits:
    """What a query may take: seconds of work, bytes of memory, and bytes of disk for what doesn't fit into memory."""

    seconds: float = 600
    memory: int = 10**9
    disk: int = 10 * 10**9


@dataclass(frozen=True, slots=True)
class Answer:
    """The names of the columns, and the rows as they are read."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


def size_in_bytes(text: str) -> int:
    """Return the bytes of a size such as ``500MB`` or ``2 GB``.

    Raises:
        ValueError: it is none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None or not (size := int(float(match[1]) * _BYTES[match[2].upper()])):
        msg = f"{text!r} is no size such as 500MB or 2GB"
        raise ValueError(msg)
    return size
