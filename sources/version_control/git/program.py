"""Run git: a fixed environment, argument lists, bytes in and out."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from leat.sources.version_control.git.environment import environment

_CHUNK = 1 << 18


class Damaged(Exception):
    """A mirror isn't what it should be; it can be rebuilt."""


class GitFailed(Damaged):
    """A git command ended with a status that means failure.

    Args:
        command: the subcommand, for example ``fetch``.
        status: exit status; negative for a signal.
        stderr: the end of what it said.
    """

    def __init__(self, command: str, status: int, stderr: str) -> None:
        super().__init__(command, status, stderr)
        self.command = command
        self.status = status
        self.stderr = stderr

    def __str__(self) -> str:
        return f"git {self.command} ended with status {self.status}: {self.stderr[-500:].strip()}"


@dataclass(frozen=True, slots=True)
class Git:
    """git in one folder.

    Attributes:
        folder: the repository's folder; None outside of one.
        config: configuration for its commands, in addition to leat's own.
        env: environment variables in addition.
    """

    folder: Path | None
    config: Mapping[str, str]
    env: Mapping[str, str]

    def having(self, config: Mapping[str, str] | None = None, env: Mapping[str, str] | None = None) -> Git:
        """Return the same with more configuration or variables."""
        return replace(self, config={**self.config, **(config or {})}, env={**self.env, **(env or {})})

    def run(self, *args: str, given: bytes = b"", ok: Sequence[int] = (0,), timeout: float | None = None) -> bytes:
        """Return what a command prints, given some standard input.

        Raises:
            GitFailed: its status is not among ``ok``.
            subprocess.TimeoutExpired: it took longer than ``timeout`` seconds; it was ended.
        """
        done = self.finish(*args, given=given, timeout=timeout)
        if done.returncode not in ok:
            raise GitFailed(args[0], done.returncode, done.stderr.decode("utf-8", "backslashreplace"))
        return done.stdout

    def finish(
        self, *args: str, given: bytes = b"", timeout: float | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, whatever its status; a timeout ends its children too.

        Raises:
            subprocess.TimeoutExpired: it took longer than ``timeout`` seconds.
        """
        with subprocess.Popen(
            ["git", *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(self.folder, self.config, self.env),
            process_group=0,
        ) as child:
            try:
                out, err = child.communicate(given, timeout)
            except BaseException:
                _end(child)
                raise
        return subprocess.CompletedProcess(child.args, child.returncode, out, err)

    def stream(self, *args: str, given: bytes = b"") -> Iterator[bytes]:
        """Yield what a command prints, piece by piece, while it runs.

        Raises:
            GitFailed: it failed; raised after the last piece.
        """
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
            stdin.write(given)
            stdin.seek(0)
            with self._started(args, stdin, stderr) as child:
                out = child.stdout.fileno() if child.stdout else -1
                with suppress(AttributeError, OSError):  # Linux: let git go on while a batch is being built
                    fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, 1 << 20)
                while piece := os.read(out, _CHUNK):
                    yield piece
                status = child.wait()
            if status != 0:
                stderr.seek(0)
                raise GitFailed(args[0], status, stderr.read(10_000).decode("utf-8", "backslashreplace"))

    @contextmanager
    def _started(
        self, args: Sequence[str], stdin: IO[bytes] | int, stderr: IO[bytes] | int
    ) -> Iterator[subprocess.Popen[bytes]]:
        child = subprocess.Popen(
            ["git", *args],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment(self.folder, self.config, self.env),
            process_group=0,
        )
        try:
            yield child
        finally:
            _end(child)

    @contextmanager
    def conversation(self, *args: str) -> Iterator[Conversation]:
        """Start a command that answers line by line, such as ``cat-file --batch``; it ends with the block."""
        with tempfile.TemporaryFile() as stderr, self._started(args, subprocess.PIPE, stderr) as child:
            yield Conversation(args[0], child)


class Conversation:
    """A running git command that answers one question after another."""

    AT_ONCE = 60
    """Questions that may be asked before the answers are read: they fit the smallest pipe, so nobody waits forever."""

    def __init__(self, command: str, child: subprocess.Popen[bytes]) -> None:
        self._command = command
        self._child = child

    def ask(self, questions: Sequence[str]) -> None:
        """Write up to ``AT_ONCE`` questions, one a line.

        Raises:
            GitFailed: the command has ended.
        """
        try:
            assert self._child.stdin is not None  # noqa: S101 - for the type checker; it was opened as a pipe
            self._child.stdin.write("".join(f"{question}\n" for question in questions).encode())
            self._child.stdin.flush()
        except BrokenPipeError as error:
            raise GitFailed(self._command, self._child.wait(), "it ended early") from error

    def line(self) -> bytes:
        """Return the next line of the answer, without its end.

        Raises:
            GitFailed: the command has ended.
        """
        assert self._child.stdout is not None  # noqa: S101 - for the type checker; it was opened as a pipe
        line = self._child.stdout.readline()
        if not line:
            raise GitFailed(self._command, self._child.wait(), "it ended early")
        return line.removesuffix(b"\n")

    def read(self, size: int) -> bytes:
        """Return that many bytes of the answer."""
        assert self._child.stdout is not None  # noqa: S101 - for the type checker; it was opened as a pipe
        return self._child.stdout.read(size)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child, and what it started, if it still runs; close its pipes."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for pipe in (child.stdin, child.stdout, child.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def git_version() -> tuple[int, ...]:
    """Return the version of git, for example ``(2, 39, 5)``.

    Raises:
        FileNotFoundError: git is not installed.
    """
    match = re.search(rb"(\d+)\.(\d+)(?:\.(\d+))?", Git(None, {}, {}).run("version"))
    return tuple(int(part or 0) for part in match.groups()) if match else (0,)
