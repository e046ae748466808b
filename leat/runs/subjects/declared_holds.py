"""Legal holds that ``holds:`` in ``policies/`` declares, with all identities that the warehouse links to the person."""

from __future__ import annotations

from datetime import datetime

from leat.control.holds import DeclaredHold, declare_holds, read_holds
from leat.pipelines.load.cells import Reader
from leat.pipelines.load.sealed_texts import SealedTexts
from leat.runs.subjects.identities import is_loaded, link
from leat.runs.subjects.tables import people_tables
from leat.runs.workspace import Workspace
from leat.sources.identity import parse_identity
from leat.warehouse.session import Session


def follow_declared(workspace: Workspace, now: datetime, session: Session | None = None) -> None:
    """Let the control store have the declared holds that hold now; a command and each retention do that first.

    Args:
        workspace: the project.
        now: the time.
        session: an open transaction on the warehouse; one is opened when None.

    Raises:
        DeclarationError: a file in ``policies/`` has a mistake.
        CellError: an encrypted value can't be decrypted.
    """
    if not workspace.security.holds and not any(each.declared for each in read_holds(workspace.store)):
        return
    if session is None:
        with workspace.warehouse.snapshot() as opened:
            follow_declared(workspace, now, opened)
        return
    tables = people_tables(workspace, session) if is_loaded(session) else []
    texts = SealedTexts(Reader(workspace.column_keys)) if workspace.encrypts else None
    declared = []
    for hold in workspace.security.holds:
        if hold.holds_on(now.date()):
            given, *also = map(parse_identity, hold.identities)
            person = link(session, tables, given, also, follow=True, texts=texts)
            declared.append(DeclaredHold(hold.place, person.listed, hold.reason))
    declare_holds(workspace.store, declared, now)
