"""No core file of a process has its memory, in which keys and decrypted values are in clear."""

from __future__ import annotations

import resource

_NOWHERE = 1
"""No core is as small, so no file is written; to Linux this limit also says not to pipe a core to another program."""


def leave_no_core() -> None:
    """Let this process, and those that it starts, leave no core if they crash.

    The hard limit stays as it is, so that whoever looks for the cause of a crash can raise the limit of a process
    again: `prlimit --core=unlimited --pid …`.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    soft = _NOWHERE if hard == resource.RLIM_INFINITY else min(_NOWHERE, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
