"""Runs ``leat`` in a process forked from one that has imported the libraries: the same command in a tenth of the time.

Everything of leat itself is imported by the new process, with the environment that it was given.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.kit.child import CONTEXT
from tests.kit.command import LEAT, Leat

STREAMS = ("stdin", "stdout", "stderr")


def leat_forked(leat: Leat, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end as :class:`tests.kit.command.Leat` does, without input."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: str(Path(folder, name)) for name in STREAMS}
        Path(files["stdin"]).touch()
        process = CONTEXT.Process(target=_main, args=(str(leat.folder), [LEAT, *args], leat.env(variables), files))
        process.start()
        process.join(120)
        said = {name: Path(files[name]).read_text(encoding="utf-8") for name in STREAMS[1:]}
    assert process.exitcode is not None, "it didn't end in time"
    return subprocess.CompletedProcess(args, process.exitcode, said["stdout"], said["stderr"])


def _main(folder: str, argv: list[str], env: Mapping[str, str], files: Mapping[str, str]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = argv
    for descriptor, name in enumerate(STREAMS):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(files[name], flags), descriptor)
    from leat.cli.main import main

    main()
