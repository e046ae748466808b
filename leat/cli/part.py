"""Which part of what is declared is to be run: integrations, single streams, what has changed from a date on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from leat.cli.names import read_names, read_target
from leat.cli.times import read_past
from leat.cli.usage import UsageMistake
from leat.pipelines.declare.declaration import Declaration
from leat.runs.workspace import Workspace
from leat.sources.driver import since_streams


@dataclass(frozen=True, slots=True)
class Part:
    """What is to be run.

    Attributes:
        names: the integrations.
        only: the streams wanted of those integrations that aren't wanted whole.
        since: from when on, for a backfill.
        notes: what is left out, and what to do about it.
    """

    names: Sequence[str]
    only: Mapping[str, frozenset[str]] = field(default_factory=dict)
    since: datetime | None = None
    notes: tuple[str, ...] = ()


def read_part(workspace: Workspace, asked: Sequence[str], since: str | None) -> Part:
    """Return what the arguments of ``leat run`` ask for.

    Raises:
        UsageMistake: something that is named isn't there, or can't be read from a date on.
    """
    targets = [read_target(workspace, each) for each in asked]
    names = read_names(workspace, [target.integration for target in targets])
    whole = {target.integration for target in targets if target.stream is None}
    only = {
        name: frozenset(t.stream for t in targets if t.integration == name and t.stream is not None)
        for name in {target.integration for target in targets} - whole
    }
    if since is None:
        return Part(names, only)
    return _backfill(workspace, names, only, read_past(since, "--from"))


def _backfill(workspace: Workspace, names: Sequence[str], only: Mapping[str, frozenset[str]], since: datetime) -> Part:
    result: dict[str, frozenset[str]] = {}
    notes = []
    for name in names:
        declaration = workspace.declarations[name]
        able = since_streams(declaration.source, declaration.driver, declaration.connection)
        loaded = {stream.name for stream in declaration.selected()}
        wanted = only.get(name, frozenset(loaded & able))
        refused = sorted(wanted - able)
        if refused or not wanted:
            raise UsageMistake(_refusal(declaration, refused, sorted(loaded & able)))
        if name not in only and loaded - able:
            listed = ", ".join(sorted(loaded - able))
            notes.append(f"{name}: left out, because they can't be read from a date on: {listed}")
        result[name] = wanted
    return Part(names, result, since, tuple(notes))


def _refusal(declaration: Declaration, refused: Sequence[str], able: Sequence[str]) -> str:
    name = declaration.name
    what = ", ".join(f"{name}.{stream}" for stream in refused) or name
    options = "".join(f" --stream {stream}" for stream in refused)
    can = f"; of {name}, these can: {', '.join(able)}" if able else ""
    return f"{what} can't be read from a date on{can}. Next: `leat reset {name}{options}` loads it from the start"
