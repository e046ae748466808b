"""What is wrong with columns that are declared `encrypt`: what such a column can't be used for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from leat.pipelines.declare.declaration import Check, StreamOptions
from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.encryption import Encrypted, encrypted_columns
from leat.pipelines.declare.yaml_file import Loc
from leat.sources.stream import Stream


def encryption_diagnostics(
    stream: Stream, options: StreamOptions, masked: Collection[str]
) -> Iterator[tuple[Loc, str]]:
    """Yield what is wrong with the encrypted columns of a stream."""
    columns = {column.name: column for column in stream.all_columns()}
    listed = options.encrypt if isinstance(options.encrypt, tuple) else ()
    for i, name in enumerate(listed):
        if name not in columns:
            yield ("encrypt", i), f"unknown column {name!r}{meant(name, columns)}"
        elif name in options.exclude or name in masked:
            yield ("encrypt", i), f"{name} is {'excluded' if name in options.exclude else 'masked'}; do one of the two"
    clear = {*options.exclude, *masked}
    encrypted = encrypted_columns(stream, options.encrypt, options.joined, clear, options.per_person)
    yield from _of_people(stream, options, encrypted, masked)
    for i, name in enumerate(options.joined):
        if name not in encrypted:
            what = "is not encrypted" if name in columns else f"is no column{meant(name, columns)}"
            yield ("joined", i), f"{name} {what}; `joined` names encrypted columns that are joined or compared"
    if stream.version in encrypted:
        yield ("encrypt",), f"{stream.version} orders the versions of a row, so it can't be encrypted; list the others"
    if options.retain is not None and options.retain.by in encrypted:
        yield ("retain", "by"), f"{options.retain.by} is encrypted; leat can't read how old a row is"
    for i, check in enumerate(options.checks):
        for name in _compared(check):
            if name in encrypted and check.kind in ("range", "accepted_values"):
                yield ("checks", i, check.kind), f"{name} is encrypted; a check can't see its values"
            elif name in encrypted and not encrypted[name].joined:
                yield ("checks", i, check.kind), f"{name} is encrypted; add it to `joined`, so that it can be compared"


def _of_people(
    stream: Stream, options: StreamOptions, encrypted: Mapping[str, Encrypted], masked: Collection[str]
) -> Iterator[tuple[Loc, str]]:
    """Yield what is wrong with the columns that are encrypted by keys of people."""
    listed = options.per_person if isinstance(options.per_person, tuple) else ()
    wanted = listed or [name for name, how in encrypted.items() if options.per_person and not how.joined]
    if options.per_person and not wanted:
        yield ("per_person",), "no column is encrypted that isn't joined; `per_person` is about columns of `encrypt`"
    for i, name in enumerate(wanted):
        at: Loc = ("per_person", i) if listed else ("per_person",)
        if name not in encrypted:
            yield at, f"{name} is not encrypted; `per_person` names columns of `encrypt`{meant(name, encrypted)}"
        elif encrypted[name].joined:
            yield at, f"{name} is joined or a key, so all its values need one key; leave it out of `per_person`"
        elif not encrypted[name].person:
            yield at, f"{name}: no column says whose it is, or several might; list only columns of one person"
        elif (whose := encrypted[name].person) in options.exclude or whose in masked:
            how = "excluded" if whose in options.exclude else "masked"
            yield at, f"{name} is of the person in {whose}, which is {how}, so leat can't find their key"


def _compared(check: Check) -> Collection[str]:
    """Return the columns whose values a check compares."""
    if check.kind not in ("unique", "foreign_key", "range", "accepted_values"):
        return ()
    value: Mapping[str, object] | tuple[str, ...] = getattr(check, check.kind)
    return tuple(value)


def unlike(column: str, one: Encrypted | None, other: Encrypted | None) -> str | None:
    """Return why a column can't be compared with the one that a foreign key names; None if it can."""
    if one == other or (one and other and one.joined and other.joined and one.type == other.type):
        return None
    if one is None or other is None:
        return f"only one of the two is encrypted: {column} can't be compared with it"
    if one.type != other.type:
        return f"{column} is {one.type} and the other {other.type}: equal values have other ciphertexts"
    return "both are encrypted; add each to `joined` of its stream, so that they can be compared"
