"""Runs ``leat`` as a person does: a process of its own in a project folder."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kit.child import CONTEXT, begin
from tests.kit.project import SOURCES

ROOT = Path(__file__).parents[2]
LEAT = str(Path(sys.executable).with_name("leat"))
STREAMS = ("stdin", "stdout", "stderr")
NETWORK = 0x40000000  # CLONE_NEWNET of setns(2) and unshare(2)


@dataclass(frozen=True)
class Leat:
    """The command in a folder, with an environment that has nothing of the caller's but where programs are.

    Attributes:
        folder: where it runs.
        variables: of its environment.
        patience: seconds that it may take.
        network: the file of the network namespace that a forked process enters; None for that of the tests.
    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    patience: float = 120
    network: Path | None = None

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        passed_on = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return {**passed_on, "TERM": "xterm", "COLUMNS": "200", **self.variables, **(more or {})}

    def __call__(self, *args: str, given: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end, in a process that is forked from one with the libraries: in a tenth of the time.

        Args:
            args: its arguments.
            given: what it reads from stdin.
            variables: of its environment, besides its own.

        Raises:
            TimeoutError: it didn't end in time, and was killed.
        """
        with tempfile.TemporaryDirectory() as folder:
            files = {name: Path(folder, name) for name in STREAMS}
            files["stdin"].write_text(given, encoding="utf-8")
            process = self._forked(files, args, variables)
            begin(process)
            process.join(self.patience)
            if process.exitcode is None:
                process.kill()
                raise TimeoutError(args)
            said = {name: files[name].read_text(encoding="utf-8") for name in STREAMS[1:]}
        return subprocess.CompletedProcess(args, process.exitcode, said["stdout"], said["stderr"])

    def begin(self, *args: str, **variables: str) -> Any:
        """Begin the command in a forked process, for tests that kill it; nobody reads what it prints."""
        files = dict.fromkeys(STREAMS, Path(os.devnull))
        process = self._forked(files, args, variables)
        begin(process)
        return process

    def _forked(self, files: Mapping[str, Path], args: Sequence[str], variables: Mapping[str, str]) -> Any:
        argv = [LEAT, *args]
        return CONTEXT.Process(target=_main, args=(self.folder, argv, self.env(variables), files, self.network))

    def start(self, *args: str, **variables: str) -> subprocess.Popen[str]:
        """Start the command as a program and go on; it gets an interrupt as from the keyboard."""
        return subprocess.Popen(
            [LEAT, *args],
            cwd=self.folder,
            env=self.env(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, *args: str, **variables: str) -> dict[str, Any]:
        """Run with ``--json``; return the one object that it printed to stdout."""
        done = self(*args, "--json", **variables)
        assert done.stdout.count("\n") == 1, (args, done.stdout, done.stderr)
        value: dict[str, Any] = json.loads(done.stdout)
        assert value["leat"] == 1
        return value


def enter_network(namespace: Path) -> None:
    """Give this thread, and what it starts, the network of a namespace's file; needs to be root."""
    descriptor = os.open(namespace, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(descriptor, NETWORK) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(namespace))
    finally:
        os.close(descriptor)


def _main(
    folder: Path, argv: list[str], env: Mapping[str, str], files: Mapping[str, Path], network: Path | None
) -> None:
    if network is not None:
        enter_network(network)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = argv
    for descriptor, name in enumerate(STREAMS):
        flags = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT
        os.dup2(os.open(files[name], flags), descriptor)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it lasts as long as the process
    from leat.cli.main import main

    main()


def tally_project(folder: Path, streams: str = "{}", **variables: str) -> Leat:
    """Return a project that brings the source ``tally`` along (:mod:`tests.kit.project`)."""
    shutil.copytree(SOURCES, folder / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "pipelines").mkdir()
    (folder / "script.jsonl").touch()
    connection = json.dumps({"script": str(folder / "script.jsonl")})
    text = f"source: tally\ndriver: script\nconnection: {connection}\nstreams: {streams}\n"
    (folder / "pipelines" / "tally.yaml").write_text(text)
    return Leat(folder, variables)


def then(leat: Leat, *steps: Mapping[str, Any]) -> None:
    """Add one line to the script of a tally project: what the next extraction brings."""
    with (leat.folder / "script.jsonl").open("a") as file:
        file.write(json.dumps(steps) + "\n")


def documented_json() -> dict[str, Any]:
    """Return the example object of each command in docs/json.md."""
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    result = {}
    for title, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE):
        blocks = re.findall(r"```json\n(.*?)```", body, re.DOTALL)
        for command in re.findall(r"leat (\w+)", title) or [title]:
            if blocks:
                result[command] = json.loads(blocks[0])
    return result


def differs(said: Any, documented: Any, where: str = "") -> list[str]:
    """Return where a value has other fields or kinds than the documented one; names of things aren't compared."""
    if said is None or documented is None:
        return []
    kinds = [float if isinstance(value, int | float) and not isinstance(value, bool) else type(value)
             for value in (said, documented)]  # fmt: skip
    if kinds[0] is not kinds[1]:
        return [f"{where}: {kinds[0].__name__}, documented as {kinds[1].__name__}"]
    if isinstance(said, list):
        return [text for item in said for text in (differs(item, documented[0], f"{where}[]") if documented else [])]
    if not isinstance(said, dict):
        return []
    if where in (
        ".setup_tests",
        ".rows[]",
        ".checks[].evidence[]",
        ".entries[].data.rows",
    ):  # keyed by what the user has named
        first = next(iter(documented.values()), None)
        return [text for key, item in said.items() for text in differs(item, first, f"{where}.*")] if first else []
    differences = [
        f"{where}.{key}: only {'said' if key in said else 'documented'}" for key in said.keys() ^ documented.keys()
    ]
    return differences + [
        text
        for key in said.keys() & documented.keys()
        for text in differs(said[key], documented[key], f"{where}.{key}")
    ]
