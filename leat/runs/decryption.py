"""Which encrypted values somebody may see: those of what they read, and of tables that they may decrypt.

A ciphertext says which column it is of (:mod:`leat.pipelines.load.cells`). So one that somebody has put into a query,
or into a table that others read, is decrypted only for people who might read the value where it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load import state
from leat.pipelines.load.cells import JOINED, origin_of
from leat.runs.access import Principal, Resource, local_user, require
from leat.runs.workspace import Workspace
from leat.warehouse.session import NothingPublished

if TYPE_CHECKING:
    from leat.assets.model import Model

_OF_ROWS = frozenset({"stream", "model", "violation", "report"})
_PERSONAL = frozenset({"personal"})
_HISTORY = "_history"


@dataclass(frozen=True, slots=True)
class Permitted:
    """Which encrypted values somebody may see.

    Attributes:
        every: whether they may see all.
        origins: those of the values that they may see, otherwise.
        unstated: whether they may also see values that don't say what they are of.
    """

    every: bool = False
    origins: frozenset[bytes] = frozenset()
    unstated: bool = False

    def has(self, origin: bytes | None) -> bool:
        """Return whether values of an origin are permitted; None is that of values that don't say it."""
        return self.every or (self.unstated if origin is None else origin in self.origins)

    def as_json(self) -> dict[str, Any]:
        """Return what another process needs."""
        return {"every": self.every, "origins": sorted(map(bytes.hex, self.origins)), "unstated": self.unstated}

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Permitted:
        """Return what :meth:`as_json` gave."""
        return cls(value["every"], frozenset(map(bytes.fromhex, value["origins"])), value["unstated"])


NOTHING = Permitted()


def permitted(workspace: Workspace, resources: Iterable[Resource], principal: Principal | None = None) -> Permitted:
    """Return which encrypted values somebody may see in these; if any, the audit log records it.

    Args:
        workspace: the project.
        resources: what they read; each has to be allowed.
        principal: who; the account that runs this process when None.
    """
    asked = [replace(each, tags=each.tags | _PERSONAL) for each in resources if each.kind in _OF_ROWS]
    person = principal or local_user(workspace)

    def may(resource: Resource) -> bool:
        return workspace.gate.decide(person, resource, "decrypt").allowed

    if not asked or not all(map(may, asked)):
        return NOTHING
    require(workspace, "decrypt", asked, person)
    origins = _Origins(workspace)
    theirs = {name for name in origins.by_stream if may(_stream(name))}
    if len(theirs) == len(origins.by_stream):
        return Permitted(every=True)
    there = frozenset(origins.of(asked)).union(*(origins.by_stream[name].values() for name in theirs))
    return Permitted(origins=there, unstated=not _binds(workspace))


def _stream(name: str) -> Resource:
    integration, _, stream = name.partition(".")
    return Resource("stream", stream, integration=integration, stream=stream, tags=_PERSONAL)


def _binds(workspace: Workspace) -> bool:
    """Return whether all values of the warehouse say which column they are of."""
    try:
        with workspace.warehouse.published() as session:
            key = state.read_column_key(session)
    except NothingPublished:
        return True
    return key is None or key.binds


@dataclass(slots=True)
class _Origins:
    """The origins of encrypted values, by what has them.

    Attributes:
        workspace: the project.
        by_stream: of each stream, with its integration, those of its columns; of its broken records the name is empty.
    """

    workspace: Workspace
    by_stream: dict[str, dict[str, bytes]] = field(default_factory=dict)
    _seen: set[tuple[str, str | None]] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        for name, declaration in self.workspace.declarations.items():
            for stream in declaration.selected():
                columns = declaration.encrypted(stream)
                if columns:
                    self.by_stream[f"{name}.{stream.name}"] = {
                        "": origin_of(name, stream.name, ""),
                        **{
                            column: JOINED if how.joined else origin_of(name, stream.name, column)
                            for column, how in columns.items()
                        },
                    }

    def of(self, resources: Iterable[Resource]) -> Iterator[bytes]:
        """Yield the origins of the values that may be in some resources, and in what these are made of."""
        for each in resources:
            if each.kind == "stream":
                for name, columns in self.by_stream.items():
                    if name == f"{each.integration}.{each.stream}" or (
                        not each.stream and name.startswith(f"{each.integration}.")
                    ):
                        yield from columns.values()
            elif each.kind == "model":
                yield from self._of(f"{ANALYTICS}.{each.name}", None)
            elif each.kind == "violation":
                for rule in self.workspace.described.rules:
                    if each.name in ("", rule.name):
                        for table in rule.inputs:
                            yield from self._of(str(table), None)

    def _of(self, table: str, column: str | None) -> Iterator[bytes]:
        """Yield the origins of a column, or of all columns of a table when None."""
        if (table, column) in self._seen:
            return
        self._seen.add((table, column))
        schema, _, name = table.partition(".")
        if schema == ANALYTICS:
            models = {model.name: model for model in self.workspace.described.models}
            model = models.get(name) or models.get(name.removesuffix(_HISTORY))
            for origin in () if model is None else _sources(model, column):
                yield from self._of(*origin)
            return
        columns = self.by_stream.get(table) or self.by_stream.get(table.removesuffix(_HISTORY), {})
        yield from columns.values() if column is None else [columns[column]] if column in columns else []


def _sources(model: Model, column: str | None) -> list[tuple[str, str | None]]:
    """Return the columns that a column of a model comes from; whole tables when that is not clear."""
    if not model.lineage or (column is not None and column not in model.lineage):
        return [(str(table), None) for table in model.inputs]
    listed = model.lineage.values() if column is None else [model.lineage[column]]
    return [origin for origins in listed for origin in origins]
