"""What a command about a person needs: who they are, what recognises them, and which tables there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from leat.control.subject_sweep import Names
from leat.pipelines.load import state
from leat.pipelines.load.cells import PREFIX, Reader, replaced
from leat.pipelines.load.conversion import Conversion
from leat.pipelines.load.mask_key import read_mask_key
from leat.pipelines.load.sealed_texts import SealedTexts
from leat.runs.access import Resource, Verb, require
from leat.runs.subjects.finding import Who
from leat.runs.subjects.identities import Person, is_loaded, link
from leat.runs.subjects.searching import Searcher, searcher_of
from leat.runs.subjects.tables import PeopleTable, people_tables
from leat.runs.workspace import Workspace
from leat.sources.identity import Identity
from leat.sources.tombstones import Tombstones, tombstones_of
from leat.warehouse.session import Session


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
        texts: reads encrypted values; None where there are none.
    """

    person: Person
    masks: dict[Identity, str]
    texts: SealedTexts | None = None

    @property
    def who(self) -> Who:
        """What recognises them in tables."""
        return Who(self.person.listed, self.masks, self.texts)

    @property
    def searcher(self) -> Searcher:
        """What looks for them in files."""
        return searcher_of(self.person.listed, self.texts)

    def names(self, tombstones: Tombstones | None = None) -> Names:
        """Return how the control store recognises them, and replaces them by tombstones."""
        stones = tombstones or tombstones_of(b"unused", self.person.listed)
        searcher, texts = self.searcher, self.texts
        if texts is None:
            return Names(searcher.values, stones.text, stones.plain, searcher.finds)

        def in_text(text: str) -> str:
            return stones.text(texts.changed(text, stones.text))

        def in_json(value: Any) -> Any:
            return stones.plain(replaced(value, lambda match: texts.changed(match[0], stones.text)))

        return Names([*searcher.values, PREFIX], in_text, in_json, searcher.finds)


def texts_of(workspace: Workspace) -> SealedTexts | None:
    """Return what reads the encrypted values of the warehouse; None where it has none.

    Raises:
        Forbidden: who runs this process may not decrypt all of them.
    """
    with workspace.warehouse.snapshot() as session:
        key = state.read_column_key(session) if is_loaded(session) else None
    if key is None and not workspace.encrypts:
        return None
    for name, declaration in workspace.declarations.items():
        streams = [stream.name for stream in declaration.selected() if declaration.encrypted(stream)]
        require(
            workspace,
            "decrypt",
            [Resource("stream", each, integration=name, stream=each, tags=frozenset({"personal"})) for each in streams],
        )
    reader = Reader(workspace.column_keys)
    return SealedTexts(reader) if key is None else SealedTexts(reader, key.kid, binds=key.binds)


def masks_of(workspace: Workspace, identities: Sequence[Identity]) -> dict[Identity, str]:
    """Return the hash that represents each identity where a column is masked."""
    if not any(one.masked(stream) for one in workspace.declarations.values() for stream in one.every_stream()):
        return {}
    mask = mask_of(workspace)
    return {each: mask(each[2]) for each in identities}


def mask_of(workspace: Workspace) -> Callable[[str], str]:
    """Return what hashes values of masked columns; its key is read when it is first used."""
    return Conversion({}, cache(partial(read_mask_key, workspace.project))).mask


@contextmanager
def asked(
    workspace: Workspace, given: Identity, also: Sequence[Identity], *, follow: bool = True
) -> Iterator[tuple[Asked, Session | None, list[PeopleTable]]]:
    """Give who is asked for, a snapshot of the warehouse, and its tables; no snapshot when nothing is loaded.

    Raises:
        Forbidden: columns are encrypted, and who runs this process may not decrypt them.
        WarehouseError: an encrypted value can't be decrypted.
    """
    texts = texts_of(workspace)
    with workspace.warehouse.snapshot() as session:
        loaded = is_loaded(session)
        tables = people_tables(workspace, session) if loaded else []
        person = link(session, tables, given, also, follow=follow, texts=texts)
        yield Asked(person, masks_of(workspace, person.listed), texts), session if loaded else None, tables
