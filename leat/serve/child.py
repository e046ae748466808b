"""What web and worker have in common: their arguments, the project, and that they end with the supervisor."""

from __future__ import annotations

import sys
from pathlib import Path

from leat.runs.json_log import log_as_json
from leat.runs.lifeline import end_with_parent
from leat.runs.workspace import Workspace, open_workspace
from leat.serve.options import Options, read_options


def start_child(name: str) -> tuple[Options, Workspace, tuple[int, ...]]:
    """Return the options, the project and the descriptors from the command line of a process of the supervisor.

    Raises:
        NoProject: the project isn't there any more.
    """
    options, lives, *others = sys.argv[1:]
    end_with_parent(int(lives))
    read = read_options(options)
    workspace = open_workspace(Path(read.project), may_be_empty=True)
    log_as_json(name)
    return read, workspace, tuple(map(int, others))
