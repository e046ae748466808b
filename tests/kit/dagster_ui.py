"""The process of Dagster's UI, run as the supervisor of `leat serve` runs it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from leat.runs.dagster_process import GRAPHQL, HEADER, meeting_folder, read_failure, socket_path, vouch, was_reached
from leat.runs.workspace import Workspace
from tests.kit.child import wait_until
from tests.kit.command import Leat

KEY = b"only these two know it"
LAUNCH = """mutation L($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename
 ... on LaunchRunSuccess { run { runId } } } }"""


@contextlib.contextmanager
def dagster_of(leat: Leat, project: Workspace) -> Iterator[subprocess.Popen[bytes]]:
    """Run Dagster's process as the supervisor does, until the block ends."""
    lives, life = os.pipe()
    log = (leat.folder / "dagster.log").open("wb")
    argv = [sys.executable, "-m", "leat.dagster_project.ui", str(leat.folder), str(lives)]
    process = subprocess.Popen(argv, env=leat.env(), cwd=leat.folder, pass_fds=[lives], stdin=subprocess.PIPE,
                               stdout=log, stderr=log, start_new_session=True)  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(KEY)
    process.stdin.close()
    folder = meeting_folder(project.project)
    try:
        wait_until(lambda: was_reached(folder) or process.poll() is not None, 200)
        assert process.poll() is None, ((leat.folder / "dagster.log").read_text(), read_failure(folder))
        yield process
    finally:
        os.close(life)  # as when the supervisor is killed
        process.wait(60)
        os.close(lives)
        log.close()
        wait_until(lambda: not _is_there(process.pid))  # nothing is left of its processes


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def ask_inside(
    folder: Path, header: str | None, method: str = "POST", path: str = GRAPHQL, **more: Any
) -> httpx2.Response:
    """Ask Dagster's process itself, past the web process."""
    with httpx2.Client(transport=httpx2.HTTPTransport(uds=socket_path(folder)), base_url="http://x") as client:
        return client.request(method, path, headers={} if header is None else {HEADER: header}, timeout=60, **more)


def launch(folder: Path, job: str) -> str:
    """Launch a job of the project, and return the id of its run."""
    selector = {"repositoryName": "__repository__", "repositoryLocationName": "leat", "jobName": job}
    variables = {"p": {"selector": selector, "mode": "default"}}
    asked = {"query": LAUNCH, "variables": variables}
    answer = ask_inside(folder, vouch(KEY, "run", "POST", GRAPHQL), json=asked).json()
    return str(answer["data"]["launchRun"]["run"]["runId"])
