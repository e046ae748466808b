"""The audit log of a project: whether it is as it was sealed, and all of it for another system."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leat.runs.access import checkpoint_file, record
from leat.runs.workspace import Workspace

if TYPE_CHECKING:
    from leat.security.audit.verify import Verdict


def verify(workspace: Workspace, given: Path | None = None) -> Verdict:
    """Seal the log, and verify it and what checkpoints say of it.

    Args:
        workspace: the project.
        given: a file of checkpoints; that of ``policies/``, if there is one, when None.

    Raises:
        NotConfigured: a variable that names the file isn't set.
    """
    from leat.security.audit.chain import seal
    from leat.security.audit.checkpoints import BadCheckpoint, read_checkpoints
    from leat.security.audit.verify import Verdict
    from leat.security.audit.verify import verify as verify_chain

    path = given or checkpoint_file(workspace)
    seal(workspace.store)
    try:
        checkpoints = read_checkpoints(path) if path is not None and (given is not None or path.exists()) else []
        return verify_chain(workspace.store, checkpoints)
    except BadCheckpoint as error:
        return Verdict("altered", 0, str(error), 0, 0)


def size(workspace: Workspace) -> int:
    """Return how many events are sealed."""
    from sqlalchemy.orm import Session

    from leat.security.audit.chain import last_sealed

    with Session(workspace.store) as session:
        return last_sealed(session)[0]


def export(workspace: Workspace, form: str = "ocsf") -> Iterator[dict[str, Any]]:
    """Record an export of the log, and return all of its events as OCSF 1.4."""
    from leat.security.audit.chain import seal
    from leat.security.audit.ocsf import ocsf_events

    record(workspace, "audit.exported", {"format": form})
    seal(workspace.store)
    return ocsf_events(workspace.store)
