"""What types can't say of a declaration: the names of streams and columns, what refers to another integration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leat.pipelines.declare.cron import is_cron
from leat.pipelines.declare.declaration import Check, Declaration, Range, StreamOptions
from leat.pipelines.declare.diagnostics import meant
from leat.pipelines.declare.encryption_check import encryption_diagnostics, unlike
from leat.pipelines.declare.reserved import reserved_diagnostics
from leat.pipelines.declare.yaml_file import Loc
from leat.sources.stream import Column, Stream, is_number

Diagnostics = Iterator[tuple[Loc, str]]
"""Where a mistake is in the declaration, and what is wrong."""


def semantic_diagnostics(declaration: Declaration, *, draft: bool = False) -> Diagnostics:
    """Yield the mistakes in a declaration that its types allow; of a draft, without those that a preview proposes."""
    diagnostics = [*declaration.connection.diagnostics(), *(() if draft else declaration.connection.gaps())]
    wrong = [(("connection", *loc), text) for loc, text in diagnostics]
    if wrong:  # then there may be no streams to speak of
        yield from wrong
        return
    yield from reserved_diagnostics(declaration)
    streams = {stream.name: stream for stream in declaration.every_stream()}
    if declaration.schedule is not None and not is_cron(declaration.schedule):
        text = f"{declaration.schedule[:80]!r} is no cron expression"
        yield ("schedule",), f'{text}; write "*/15 * * * *" for each 15 minutes'
    for name, options in declaration.streams.items():
        if name in streams and (streams[name].columns or not draft):
            masked = declaration.masked(streams[name])
            for loc, text in _stream_diagnostics(streams[name], options):
                yield ("streams", name, *loc), text
            for loc, text in encryption_diagnostics(streams[name], options, masked):
                yield ("streams", name, *loc), text
            clear = declaration.hidden(streams[name]) & declaration.connection.columns_in_cursor(name)
            for column in sorted(clear):
                key, what = ("mask", "hashed") if column in masked else ("encrypt", "encrypted")
                text = f"{column} is the column of incremental, so its values can't be {what}"
                yield ("streams", name, key), f"{text}; choose another column there"
        elif name not in streams:
            yield ("streams", name), f"unknown stream{meant(name, streams)}; valid: {', '.join(streams)}"


def _stream_diagnostics(stream: Stream, options: StreamOptions) -> Diagnostics:
    columns = {column.name: column for column in stream.all_columns()}
    for i, name in enumerate(options.exclude):
        if name not in columns:
            yield ("exclude", i), _unknown(name, columns)
        elif name in stream.key or name == stream.version:
            what = "part of the key" if name in stream.key else "the version of the row"
            yield ("exclude", i), f"{name} is {what} and can't be left out"
    for i, name in enumerate(options.mask if isinstance(options.mask, tuple) else ()):
        if name not in columns:
            yield ("mask", i), _unknown(name, columns)
        elif columns[name].type not in ("string", "json"):
            yield ("mask", i), f"{name} is {columns[name].type}; only text can be hashed"
    by = None if options.retain is None else options.retain.by
    if by is not None and by not in columns:
        yield ("retain", "by"), _unknown(by, columns)
    elif by is not None and by in options.exclude:
        yield ("retain", "by"), f"{by} is excluded"
    elif by is not None and columns[by].type not in ("timestamp", "datetime", "date"):
        yield ("retain", "by"), f"{by} is {columns[by].type}; only a timestamp, datetime or date shows how old a row is"
    for i, check in enumerate(options.checks):
        for loc, text in _check_diagnostics(check, columns, options.exclude):
            yield ("checks", i, check.kind, *loc), text


def _check_diagnostics(check: Check, columns: Mapping[str, Column], excluded: tuple[str, ...]) -> Diagnostics:
    value = getattr(check, check.kind)
    if isinstance(value, Range):
        return
    for i, name in enumerate(value):
        loc: Loc = (i if isinstance(value, tuple) else name,)
        if name not in columns:
            yield loc, _unknown(name, columns)
        elif name in excluded:
            yield loc, f"{name} is excluded"
        elif check.kind == "range" and not is_number(columns[name].type):
            yield loc, f"{name} is {columns[name].type}; only a number has bounds"


def _unknown(name: str, columns: Mapping[str, Column]) -> str:
    return f"unknown column {name!r}{meant(name, columns)}"


def foreign_key_diagnostics(declaration: Declaration, declarations: Mapping[str, Declaration]) -> Diagnostics:
    """Yield the foreign keys of a declaration that lead nowhere among all that are declared."""
    for name, options in declaration.streams.items():
        for i, check in enumerate(options.checks):
            for column, target in (check.foreign_key or {}).items():
                text = _foreign_key_diagnostic(declaration, name, column, target, declarations)
                if text is not None:
                    yield ("streams", name, "checks", i, "foreign_key", column), text


def _foreign_key_diagnostic(
    declaration: Declaration, stream: str, column: str, target: str, declarations: Mapping[str, Declaration]
) -> str | None:
    parts = target.split(".")
    if len(parts) not in (2, 3):
        return f"{target!r}: write stream.column or integration.stream.column"
    integration = parts[0] if len(parts) == 3 else declaration.name
    if integration not in declarations:
        return f"{target!r}: no integration {integration!r} is declared{meant(integration, declarations)}"
    streams: dict[str, Stream] = {stream.name: stream for stream in declarations[integration].selected()}
    if parts[-2] not in streams:
        return f"{target!r}: no stream {parts[-2]!r} is loaded{meant(parts[-2], streams)}"
    columns = [each.name for each in declarations[integration].columns(streams[parts[-2]])]
    if parts[-1] not in columns:
        return f"{target!r}: no column {parts[-1]!r}{meant(parts[-1], columns)}"
    own = next((each for each in declaration.every_stream() if each.name == stream), None)
    here = {} if own is None else declaration.encrypted(own)
    there = declarations[integration].encrypted(streams[parts[-2]])
    different = unlike(column, here.get(column), there.get(parts[-1]))
    return None if different is None else f"{target!r}: {different}"
