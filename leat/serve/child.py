"""What web and worker have in common: their arguments, the project, and that they end with the supervisor."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from leat.runs.workspace import Workspace, open_workspace
from leat.serve.logs import log_as_json
from leat.serve.options import Options, read_options


def start_child(name: str) -> tuple[Options, Workspace, tuple[int, ...]]:
    """Return the options, the project and the descriptors from the command line of a process of the supervisor.

    Raises:
        NoProject: the project isn't there any more.
    """
    options, lives, *others = sys.argv[1:]
    threading.Thread(target=_end_with_supervisor, args=(int(lives),), daemon=True).start()
    read = read_options(options)
    workspace = open_workspace(Path(read.project), may_be_empty=True)
    log_as_json(name)
    return read, workspace, tuple(map(int, others))


def _end_with_supervisor(lives: int) -> None:
    os.read(lives, 1)  # it returns when the other end is closed, by the death of the supervisor
    os.kill(os.getpid(), signal.SIGTERM)
