"""Where a value is in JSON, as a user writes it: ``meta.next``, ``['@odata.nextLink']``, ``results[*].items``.

Names are separated by dots. A name that holds a dot or a bracket is quoted in brackets, as in JSONPath (RFC 9535):
``meta['next.page']``. ``[0]``, or ``.0``, is an entry of a list, counted from 0; ``[*]``, or ``.*``, is each entry of a
list or object; ``[relation=next]`` is the first entry of a list whose field has that value. ``.`` alone is the value
itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import EllipsisType
from typing import Annotated, Any

from pydantic import AfterValidator

EACH = ...
"""The step to each entry of a list or object."""

Step = str | EllipsisType
Path = tuple[Step, ...]


class Chosen(str):
    """The step to the first entry of a list whose field has a value: ``relation=next``."""

    __slots__ = ()

    def fits(self, entry: Any) -> bool:
        """Return whether an entry of a list is the one."""
        name, _, value = self.partition("=")
        actual = entry.get(name) if isinstance(entry, dict) else None
        return isinstance(actual, str | int) and str(actual) == value


_STEP = re.compile(
    r"""(?P<name>[^.\[\]]+) | \[(?P<number>[0-9]+)\] | (?P<each>\[\*\]) | \[(?P<chosen>[^\[\]='"]+=[^\[\]'"]+)\]
    | \['(?P<single>(?:[^'\\]|\\.)*)'\] | \["(?P<double>(?:[^"\\]|\\.)*)"\]""",
    re.VERBOSE,
)
_INDEX = re.compile("[0-9]{1,9}")
_PLAIN = re.compile(r"[^.\[\]*]+")


def parse_path(text: str) -> Path:
    """Return the steps of a path: names (one made of digits is also a position in a list), and :data:`EACH`.

    Raises:
        ValueError: it isn't written as a path; says how to write it.
    """
    if text == ".":
        return ()
    steps: list[Step] = []
    at = 0
    while at < len(text) or not steps:
        bracket = text.startswith("[", at)
        if steps and not bracket:
            at += text.startswith(".", at)
        match = _STEP.match(text, at)
        if match is None or (steps and not bracket and text[at - 1] != "."):
            msg = f"{text!r} is no path at character {at + 1}: write names with dots between, like meta.next, "
            raise ValueError(msg + "and a name that holds a dot or bracket as ['@odata.nextLink']")
        quoted = match["single"] if match["single"] is not None else match["double"]
        name = match["name"] or match["number"] or re.sub(r"\\(.)", r"\1", quoted or "", flags=re.DOTALL)
        step: Step = EACH if match["each"] or match["name"] == "*" else name
        steps.append(Chosen(match["chosen"]) if match["chosen"] else step)
        at = match.end()
    return tuple(steps)


def write_path(path: Path) -> str:
    """Return a path as a user writes it."""
    text = ""
    for step in path:
        if isinstance(step, EllipsisType):
            text += "[*]"
        elif isinstance(step, Chosen):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            escaped = step.replace("\\", "\\\\").replace("'", "\\'")
            text += f"['{escaped}']"
    return text or "."


def value_at(value: Any, path: Path, missing: Any = None) -> Any:
    """Return what is at a path in a parsed value; ``missing`` when nothing is, or where the path has :data:`EACH`."""
    for step in path:
        if isinstance(step, Chosen):
            value = next((entry for entry in value if step.fits(entry)), None) if isinstance(value, list) else None
            if value is None:
                return missing
        elif isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step is not EACH and _INDEX.fullmatch(step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return missing
    return value


def values_at(value: Any, path: Path) -> Iterator[Any]:
    """Yield what is at a path in a parsed value, for each entry where it says so."""
    if EACH not in path:
        values = value_at(value, path, EACH)
        if values is not EACH:
            yield values
        return
    cut = path.index(EACH)
    for several in values_at(value, path[:cut]):
        entries = several.values() if isinstance(several, dict) else several if isinstance(several, list) else ()
        for entry in entries:
            yield from values_at(entry, path[cut + 1 :])


def _checked(text: str) -> str:
    parse_path(text)
    return text


FieldPath = Annotated[str, AfterValidator(_checked)]
"""A path in a declaration: a mistake in it is reported with its line."""
