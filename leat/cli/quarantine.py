"""``leat quarantine``: the records that could not become rows, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Annotated

import typer

from leat.cli.lines import print_indented, print_text
from leat.cli.names import complete_target, read_names
from leat.cli.outcome import counted_records, print_reasons
from leat.cli.output import Json, print_json, say
from leat.cli.rows import Form, print_rows
from leat.cli.usage import UsageMistake, not_there
from leat.pipelines.load.quarantined import Choice, Reason, Record, count_reasons, list_records, streams_in_quarantine
from leat.pipelines.load.retention import DIGEST
from leat.runs.access import Resource
from leat.runs.printable import in_one_line
from leat.runs.reveal import Reveal
from leat.runs.workspace import Workspace

_LIMIT = 20
_LISTED = ("integration", "stream", "key", "reason", "first_seen_at", "last_seen_at", "load_id")
_GROUPED = ("integration", "stream", "reason", "records", "first_seen_at", "last_seen_at")
_GONE = "(the content of this record is no longer stored: see retain.quarantine of the stream)"


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(quarantine)


def quarantine(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME[.STREAM]]",
            help="The integration, or one stream of it; all when none is given.",
            autocompletion=complete_target,
        ),
    ] = None,
    reasons: Annotated[bool, typer.Option("--reasons", help="Count the records of each reason instead.")] = False,
    record: Annotated[
        str | None, typer.Option("--record", metavar="KEY", help="Show this record as it arrived.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="List at most this many records.")] = _LIMIT,
    form: Annotated[Form, typer.Option("--format", help="How records are printed.")] = Form.table,
    json: Json = False,
) -> None:
    """List the records that could not become rows, and why."""
    workspace: Workspace = context.obj()
    with workspace.warehouse.snapshot() as session:
        choice = _choice(workspace, name, streams_in_quarantine(session))
        counted = count_reasons(session, choice)
        matching = [] if reasons else list_records(session, replace(choice, key=record), limit)
        listed = [_revealed(workspace, each, whole=record is not None) for each in matching]
        if record is not None and not listed:
            keys = [each.key for each in list_records(session, choice, limit)]
            msg = not_there(f"no quarantined record {_of(name)}has the key {record!r}", record, keys, "the last ones")
            raise UsageMistake(msg)
    total = sum(each.records for each in counted)
    if json or form is Form.json:
        records = [{**asdict(each), "record": None if record is None else each.record} for each in listed]
        print_json(command="quarantine", total=total, reasons=list(map(asdict, counted)), records=records)
    elif form is Form.csv:
        columns: Sequence[str] = _GROUPED if reasons else _LISTED
        shown: Sequence[Reason | Record] = counted if reasons else listed
        print_rows(list(columns), (tuple(getattr(each, column) for column in columns) for each in shown), form)
    elif not counted:
        say(f"no record {_of(name)}is quarantined")
    elif reasons:
        print_reasons(counted)
    else:
        _print_records(listed, total, whole=record is not None)


def _revealed(workspace: Workspace, each: Record, *, whole: bool) -> Record:
    """Return a record as the caller may see it; its content is only decrypted where it is shown."""
    of = Resource("stream", each.stream, integration=each.integration, stream=each.stream)
    reveal = Reveal(workspace, (of,))
    shown = reveal.value(each.record) if whole else each.record
    return replace(each, key=str(reveal.value(each.key)), record=shown)


def _of(name: str | None) -> str:
    return "" if name is None else f"of {name} "


def _choice(workspace: Workspace, name: str | None, there: Mapping[str, set[str]]) -> Choice:
    """Return what is asked for: something declared, or something that has records although it no longer is.

    Raises:
        UsageMistake: it is neither.
    """
    if name is None:
        return Choice()
    integration, _, stream = name.partition(".")
    if integration not in there:
        read_names(workspace, [integration])
    declared = workspace.declarations.get(integration)
    streams = {each.name for each in declared.selected()} if declared else set()
    names = sorted(streams | there.get(integration, set()))
    if stream and stream not in names:
        msg = not_there(f"{integration} has no stream {stream!r}", stream, names, "it has")
        raise UsageMistake(msg)
    return Choice(integration, stream or None)


def _print_records(listed: Sequence[Record], total: int, *, whole: bool) -> None:
    for each in listed:
        say((f"{each.integration}.{each.stream}", "bold"), f" {in_one_line(each.key)}", whole=True)
        print_indented("  ", each.reason)
        first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (each.first_seen_at, each.last_seen_at))
        seen = first if first == last else f"{first} to {last}"
        say(f"  seen {seen} UTC, load {each.load_id}", style="dim")
        if whole:
            print_text(_GONE if each.record.startswith(DIGEST) else each.record)
    if not whole:
        hidden = total - len(listed)
        more = f", {hidden:,} more: give --limit {total}" if hidden else ""
        say(f"{counted_records(total)} quarantined{more}; `--reasons` groups them, `--record KEY` shows one")
