"""Casts a column that a driver yields to its declared type; a value that is too large for it becomes null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa


def cast_column(column: Any, kind: pa.DataType) -> tuple[Any, dict[int, str]]:
    """Return a column in its type, and why rows don't fit; those are null in it.

    Raises:
        pyarrow.ArrowTypeError: it is of quite another type.
    """
    import pyarrow as pa

    if column.type == kind:
        return column, {}
    try:
        return column.cast(kind), {}
    except pa.ArrowInvalid as error:
        if not _are_alike(column.type, kind):
            raise pa.ArrowTypeError(str(kind)) from error
        values: list[Any] = []
        bad = {}
        for row, value in enumerate(column):
            try:
                values.append(value.cast(kind))
            except pa.ArrowInvalid:
                values.append(pa.scalar(None, kind))
                bad[row] = f"does not fit into {kind}"
        return pa.array(values, kind), bad


def _are_alike(one: pa.DataType, other: pa.DataType) -> bool:
    """Return whether values of one type can be too large for the other, and are no values of quite another type."""
    import pyarrow as pa

    is_a: Any = pa.types
    kinds = (is_a.is_integer, is_a.is_floating, is_a.is_temporal, is_a.is_decimal)
    texts = (is_a.is_string, is_a.is_large_string, is_a.is_binary, is_a.is_large_binary)
    both_text = any(is_text(one) for is_text in texts) and is_a.is_string(other)
    return both_text or any(is_kind(one) and is_kind(other) for is_kind in kinds)
