"""Who uses this project, what they may do, and the audit log of it: the door to leat.security for every entrance."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.pipelines.load.error_message import log_error
from leat.runs.workspace import Workspace
from leat.security.access import Decision, Forbidden, Resource, Verb
from leat.security.principal import Principal, local_principal
from leat.sources.settings import read_secret, read_setting
from leat.warehouse.session import Busy

if TYPE_CHECKING:
    from leat.control.outbox import ActionRow
    from leat.security.audit.checkpoints import Checkpoint
    from leat.warehouse.session import Session

__all__ = ["Forbidden", "Principal", "Resource", "Verb"]

log = logging.getLogger("leat.access")


def local_user(workspace: Workspace) -> Principal:
    """Return the account that runs this process, with the role that ``policies/`` gives it; admin by default.

    Raises:
        DeclarationError: a file in ``policies/`` has a mistake.
    """
    account = local_principal()
    return local_principal(workspace.security.policy.local_role(account.name))


def require(
    workspace: Workspace, verb: Verb, resources: Resource | Iterable[Resource], principal: Principal | None = None
) -> list[Decision]:
    """Ask whether a principal may do something with each of these; what has to be recorded is.

    Args:
        workspace: the project.
        verb: what is to be done.
        resources: with what.
        principal: who asks; the account that runs this process when None.

    Raises:
        Forbidden: it isn't allowed with one of them.
        DeclarationError: a file in ``policies/`` has a mistake.
    """
    principal = principal or local_user(workspace)
    listed = [resources] if isinstance(resources, Resource) else resources
    return [workspace.gate.require(principal, each, verb) for each in listed]


def integrations(names: Iterable[str]) -> list[Resource]:
    """Return integrations as resources."""
    return [Resource("integration", name, integration=name) for name in names]


def action(row: ActionRow) -> Resource:
    """Return an action as a resource."""
    tags = frozenset({"money"} if row.money else ())
    least = (row.conditions or {}).get("approver")
    return Resource("action", row.id, integration=row.integration, tags=tags, least=least)


def checkpoint_file(workspace: Workspace) -> Path | None:
    """Return the file that checkpoints of the audit log go to; None where none is declared.

    Raises:
        NotConfigured: a variable that names it isn't set.
    """
    declared = workspace.security.audit
    if declared is None or declared.checkpoints is None:
        return None
    return workspace.project.folder / read_setting(declared.checkpoints, "audit", workspace.project.folder)


def record(workspace: Workspace, event: str, detail: Mapping[str, Any], principal: Principal | None = None) -> None:
    """Add an event to the audit log that no transaction of the control store describes, such as an export.

    Args:
        workspace: the project.
        event: what happened; docs/security.md lists the events.
        detail: more about it: no values of rows, no names of people.
        principal: who did it; the current actor when None.
    """
    from leat.control.audit_events import note_alone

    note_alone(workspace.store, event, detail, by=None if principal is None else principal.actor)


def seal(workspace: Workspace) -> None:
    """Seal the audit log, write a checkpoint when one is due, and send the events; what goes wrong is logged."""
    from leat.security.audit.chain import seal as seal_events

    try:
        seal_events(workspace.store)
        path, declared = checkpoint_file(workspace), workspace.security.audit
        if path is not None and declared is not None:
            from leat.security.audit.checkpoints import is_due

            if is_due(path, declared.every):
                checkpoint(workspace, [path])
    except Exception as error:
        log_error(log, error, "the audit log was not sealed")
    try:
        send_audit(workspace)
    except Busy:
        log.debug("another process sends the audit log")
    except Exception as error:
        log_error(log, error, "the audit log was not sent")


def send_audit(workspace: Workspace) -> tuple[int, str] | None:
    """Send the sealed events that weren't sent yet; return how many and where to, or None where that isn't declared.

    Raises:
        NotConfigured: a variable that names something isn't set, or the host isn't permitted.
        Unavailable: the system didn't accept them.
        Busy: another process sends.
    """
    declared = workspace.security.audit
    if declared is None or declared.send_to is None:
        return None
    from leat.security.audit.sending import Destination, send_sealed

    folder, secret = workspace.project.folder, declared.authorization
    url = read_setting(declared.send_to, "audit", folder)
    authorization = None if secret is None else lambda: read_secret(secret, "audit", folder)
    return send_sealed(workspace.store, Destination(url, authorization)), url


def checkpoint(workspace: Workspace, paths: Sequence[Path], now: datetime | None = None) -> Checkpoint | None:
    """Seal the audit log and append a signed checkpoint to files; None if the log is empty.

    Raises:
        OSError: a file can't be written.
        KeyProblem: the key that signs can't be decrypted.
    """
    from leat.security.audit.chain import seal as seal_events
    from leat.security.audit.checkpoints import append_checkpoint, make_checkpoint
    from leat.security.audit.signing_key import signing_key

    seal_events(workspace.store)
    made = make_checkpoint(workspace.store, lambda: signing_key(workspace.project), now)
    for path in paths if made else ():
        append_checkpoint(path, made)  # type: ignore[arg-type] # there are none without it
    return made


def end_access_of_leavers(workspace: Workspace) -> list[str]:
    """Take sessions and tokens from people whom single sign-on shows as deactivated or deleted; return their ids.

    Reads the stream ``users`` of every integration of the source ``sso``; costs one short query where nobody has signed
    in by an identity provider.
    """
    if all(each.source != "sso" for each in workspace.declarations.values()):
        return []
    from leat.security.people import LOCAL, list_people
    from leat.security.people import end_access_of_leavers as end_access

    if all(person.issuer == LOCAL for person in list_people(workspace.store)):
        return []
    with workspace.warehouse.snapshot() as session:
        return end_access(workspace.store, *read_leavers(workspace, session))


def read_leavers(workspace: Workspace, session: Session) -> tuple[list[str], list[str]]:
    """Return ids, logins and addresses of people whom single sign-on shows as inactive, and of those who are active."""
    from leat.pipelines.load.cells import Reader

    reader = Reader(workspace.column_keys)  # identities are compared, and shown to nobody
    inactive: list[str] = []
    active: list[str] = []
    for name in (name for name, each in workspace.declarations.items() if each.source == "sso"):
        there = session.columns(name, "users")
        columns = [each for each in ("id", "user_name", "email") if each in there]
        if not columns or "active" not in there:
            continue
        quoted = ", ".join(f'"{each}"' for each in columns)
        rows = session.execute(f'SELECT {quoted}, active IS NOT FALSE AND _deleted_at IS NULL FROM "{name}".users')
        for *identities, is_active in rows:
            clear = (str(reader.value(each)) for each in identities if each is not None)
            (active if is_active else inactive).extend(clear)
    return inactive, active
