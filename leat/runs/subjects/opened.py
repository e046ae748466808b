"""What a command about a person needs: who they are, what recognises them, and which tables there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial

from leat.control.subject_sweep import Names
from leat.pipelines.load.conversion import Conversion
from leat.pipelines.load.mask_key import read_mask_key
from leat.runs.access import Resource, Verb, require
from leat.runs.subjects.identities import Identity, Person, is_loaded, link
from leat.runs.subjects.searching import Searcher, searcher_of
from leat.runs.subjects.tables import PeopleTable, people_tables
from leat.runs.workspace import Workspace
from leat.sources.tombstones import Tombstones, tombstones_of
from leat.warehouse.session import Session, WarehouseError


def may(workspace: Workspace, verb: Verb) -> None:
    """Make sure that who runs this process may do something with people's data; it is in the audit log.

    Raises:
        Forbidden: they may not.
    """
    require(workspace, verb, Resource("subject", tags=frozenset({"personal"})))


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who is asked for.

    Attributes:
        person: who.
        masks: the hashes that represent their identities in masked columns.
    """

    person: Person
    masks: dict[Identity, str]

    @property
    def searcher(self) -> Searcher:
        """What looks for them in files."""
        return searcher_of(self.person.listed)

    def names(self, tombstones: Tombstones | None = None) -> Names:
        """Return how the control store recognises them, and replaces them by tombstones."""
        stones = tombstones or tombstones_of(b"unused", self.person.listed)
        searcher = self.searcher
        return Names(searcher.values, stones.text, stones.plain, searcher.finds)


def masks_of(workspace: Workspace, identities: Sequence[Identity]) -> dict[Identity, str]:
    """Return the hash that represents each identity where a column is masked."""
    if not any(one.masked(stream) for one in workspace.declarations.values() for stream in one.every_stream()):
        return {}
    mask = mask_of(workspace)
    return {each: mask(each[2]) for each in identities}


def mask_of(workspace: Workspace) -> Callable[[str], str]:
    """Return what hashes values of masked columns; its key is read when it is first used."""
    return Conversion({}, cache(partial(read_mask_key, workspace.project))).mask


def _refuse_encrypted(workspace: Workspace) -> None:
    """Refuse a project in which something of a person could be missed.

    Raises:
        WarehouseError: a stream has encrypted columns.
    """
    for name, declaration in workspace.declarations.items():
        for stream in declaration.selected():
            columns = sorted(declaration.encrypted(stream))
            if columns:
                msg = (
                    f"{name}.{stream.name} has encrypted columns ({', '.join(columns)}), which leat can't search for a "
                    "person, so it would miss what is in them. Next: remove `encrypt` from the stream, run `leat reset "
                    f"{name} --stream {stream.name}`, then this again, and encrypt the columns afterwards"
                )
                raise WarehouseError(msg)


@contextmanager
def asked(
    workspace: Workspace, given: Identity, also: Sequence[Identity], *, follow: bool = True
) -> Iterator[tuple[Asked, Session | None, list[PeopleTable]]]:
    """Give who is asked for, a snapshot of the warehouse, and its tables; no snapshot when nothing is loaded.

    Raises:
        WarehouseError: a table has encrypted columns, which can't be searched.
    """
    _refuse_encrypted(workspace)
    with workspace.warehouse.snapshot() as session:
        loaded = is_loaded(session)
        tables = people_tables(workspace, session) if loaded else []
        person = link(session, tables, given, also, follow=follow)
        yield Asked(person, masks_of(workspace, person.listed)), session if loaded else None, tables
