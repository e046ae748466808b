"""How fast histories are read, compared with ``git log --numstat`` on the same repository, which is the limit.

::

    python -m bench.git_numstat [--repository DIR] [--commits 50000]

Without a repository one is generated, the same each time. Prints commits per second of both, their ratio, and how
much memory this process and git's own took at most.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from leat.demo.seed.git_history import long_history, write_repository
from leat.sources.driver import Sync
from leat.sources.events import Rows
from leat.sources.version_control.git.driver import Connection, extract
from leat.sources.version_control.streams import STREAMS

_CLEAN = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


def numstat_seconds(repository: Path, *flags: str) -> float:
    """Return how long ``git log --numstat`` takes over everything, its output read and dropped."""
    started = time.monotonic()
    command = ["git", "log", "--all", "--numstat", *flags]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, env={**os.environ, **_CLEAN}) as child:
        while child.stdout and child.stdout.read(1 << 18):
            pass
    return time.monotonic() - started


def clone_seconds(repository: Path, folder: Path) -> float:
    """Return how long git takes to copy the history, as a first extraction has to."""
    started = time.monotonic()
    command = ["git", "clone", "-q", "--mirror", "--no-local", str(repository), str(folder)]
    subprocess.run(command, check=True, env={**os.environ, **_CLEAN})
    return time.monotonic() - started


def extraction(repository: Path, folder: Path) -> tuple[dict[str, int], float, float]:
    """Return rows by stream, seconds up to the first commits (listing, fetch, small streams), and seconds in all."""
    names = frozenset(stream.name for stream in STREAMS)
    sync = Sync("bench", names, None, repository, folder, datetime.now(UTC))
    rows = dict.fromkeys((stream.name for stream in STREAMS), 0)
    started = time.monotonic()
    begun = 0.0
    for event in extract(Connection(repositories=(str(repository),)), sync):
        if isinstance(event, Rows):
            rows[event.stream] += event.table.num_rows
            begun = time.monotonic() - started if event.stream == "files" and not rows["commits"] else begun
    return rows, begun, time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path)
    parser.add_argument("--commits", type=int, default=50_000, help="size of the generated history")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        repository = options.repository and options.repository.resolve()
        if repository is None:
            first = datetime(2020, 1, 1, tzinfo=UTC)
            repository = write_repository(Path(scratch) / "generated", long_history(options.commits, first))
        plain = numstat_seconds(repository)
        merges = numstat_seconds(repository, "--diff-merges=first-parent")
        clone = clone_seconds(repository, Path(scratch) / "clone")
        rows, begun, whole = extraction(repository, Path(scratch) / "mirrors")
    commits = rows["commits"]
    print(f"{commits:,} commits, {rows['commit_files']:,} changed files, {rows['merges']:,} merges")
    print(f"git log --numstat                  {plain:7.1f} s {commits / plain:9,.0f} commits/s")
    print(f"  with merges by first parent      {merges:7.1f} s {commits / merges:9,.0f} commits/s")
    print(f"leat, fetch and small streams      {begun:7.1f} s")
    print(f"leat, all                          {whole:7.1f} s {commits / whole:9,.0f} commits/s")
    print(f"git clone --mirror                 {clone:7.1f} s")
    alone, first = (whole - begun) / merges, whole / (clone + merges)
    print(f"ratio: history to git log {alone:.2f}, a first run to git clone and git log {first:.2f}")
    own, children = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(f"peak memory: this process {own:.0f} MB, the largest git {children:.0f} MB")


if __name__ == "__main__":
    main()
