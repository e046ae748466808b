"""The command line on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from contextlib import suppress

from tests.kit.command import LEAT, Leat


def on_terminal(leat: Leat, *args: str, typed: str = "", answer: str = "", width: int = 80, **variables: str) -> str:
    """Return what a command writes to a terminal.

    Args:
        leat: the project.
        args: of the command.
        typed: what somebody has typed before.
        answer: what somebody types when the command asks for it.
        width: how many columns the terminal has.
        variables: of the environment.
    """
    main, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    env = {**leat.env(variables), "TERM": "xterm-256color"}
    env.pop("COLUMNS", None)
    with subprocess.Popen([LEAT, *args], cwd=leat.folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        os.write(main, typed.encode())
        shown = b""
        with suppress(OSError):  # the terminal goes with its last user
            while piece := os.read(main, 4096):
                shown += piece
                if answer and shown.endswith(b": "):
                    os.write(main, answer.encode())
    os.close(main)
    return shown.decode().replace("\r\n", "\n")
