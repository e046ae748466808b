"""Removes values of rows from what a database says of an error: it reaches logs, alerts and the control store.

Each dialect says which part of an error's text names no values; see :meth:`leat.warehouse.dialect.Dialect.error_text`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlalchemy

    from leat.warehouse.dialect import Dialect

_QUOTED = re.compile(
    "[\"'`\u00ab\u00bb\u2018-\u201f\u300c\u300e].*[\"'`\u00ab\u00bb\u2018-\u201f\u300d\u300f]", re.DOTALL
)
"""A value between the quotation marks of any language that Postgres speaks."""
_NUMBER = re.compile(r"(?<![A-Za-z_0-9])[-+]?\d[\w.+-]*")


def dot_values(text: str) -> str:
    """Return a text with dots for whatever may be a value: all between quotation marks, and all numbers."""
    return _NUMBER.sub("…", _QUOTED.sub("…", text))


@contextlib.contextmanager
def values_removed(dialect: Dialect) -> Iterator[None]:
    """Let errors of a database out of the block with the same class, but without values of rows, also in tracebacks."""
    try:
        yield
    except Exception as error:
        text = dialect.error_text(error)
        if text is None:
            raise
        raise type(error)(text) from None


def remove_values(engine: sqlalchemy.Engine, dialect: Dialect) -> None:
    """Let SQLAlchemy's errors of an engine have no values of rows either."""
    import sqlalchemy

    def handle(context: Any) -> None:
        error, wrapped = context.original_exception, context.sqlalchemy_exception
        text = None if wrapped is None else dialect.error_text(error)
        if text is not None:
            wrapped.orig, wrapped.args, wrapped.hide_parameters = (
                type(error)(text),
                (f"({type(error).__name__}) {text}",),
                True,
            )

    sqlalchemy.event.listen(engine, "handle_error", handle)
