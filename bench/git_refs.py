"""What one new tag costs in a repository with many refs, compared with one with few.

::

    python -m bench.git_refs [--commits 30000] [--tags 1000]

Histories are generated, the same each time, with light tags spread over them. Prints seconds of the first run, of a run
with one new tag, and of one with a new commit, which changes ahead and behind of every ref.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leat.demo.seed.git_history import git, long_history, write_repository
from leat.sources.driver import Sync
from leat.sources.events import Cursor
from leat.sources.version_control.git import program
from leat.sources.version_control.git.driver import Connection, extract
from leat.sources.version_control.streams import STREAMS

NAMES = frozenset(stream.name for stream in STREAMS)


def repository_with(folder: Path, commits: int, tags: int) -> Path:
    """Write a repository with light tags spread over its history."""
    made = write_repository(folder, long_history(commits, datetime(2020, 1, 1, tzinfo=UTC)))
    listed = subprocess.run(["git", "rev-list", "--all"], cwd=made, check=True, capture_output=True, text=True)
    oids = listed.stdout.split()
    given = "".join(f"create refs/tags/t{n} {oids[n * len(oids) // tags]}\n" for n in range(tags))
    subprocess.run(["git", "update-ref", "--stdin"], cwd=made, check=True, input=given, text=True)
    return made


def run(repository: Path, folder: Path, cursor: Mapping[str, Any] | None) -> tuple[Mapping[str, Any] | None, float]:
    """Extract once; return the new cursor and seconds."""
    sync = Sync("bench", NAMES, cursor, repository, folder, datetime.now(UTC))
    started = time.monotonic()
    for event in extract(Connection(repositories=(str(repository),)), sync):
        cursor = event.value if isinstance(event, Cursor) else cursor
    return cursor, time.monotonic() - started


def measure(folder: Path, commits: int, tags: int) -> list[float]:
    """Return seconds of a first run, and of runs with a new tag and a new commit."""
    repository = repository_with(folder / "repository", commits, tags)
    cursor, first = run(repository, folder / "mirrors", None)
    git(repository, "tag", "extra", "HEAD~1")
    cursor, tag = run(repository, folder / "mirrors", cursor)
    env = {f"GIT_{who}_{what}": "bench" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "next"]
    made = subprocess.run(
        command, cwd=repository, check=True, capture_output=True, text=True, env={**os.environ, **env}
    )
    git(repository, "update-ref", "HEAD", made.stdout.strip())
    _, commit = run(repository, folder / "mirrors", cursor)
    return [first, tag, commit]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=30_000)
    parser.add_argument("--tags", type=int, default=1_000)
    options = parser.parse_args()
    print(f"git {'.'.join(map(str, program.git_version()))}, {options.commits:,} commits")
    taken = {}
    for tags in (10, options.tags):
        with tempfile.TemporaryDirectory() as scratch:
            taken[tags] = measure(Path(scratch), options.commits, tags)
        print(f"{tags:6,} tags: first {taken[tags][0]:6.2f} s   one new tag {taken[tags][1]:5.2f} s", end="")
        print(f"   one new commit {taken[tags][2]:5.2f} s")
    few, many = taken.values()
    print(f"ratio of many to few: one new tag {many[1] / few[1]:.2f}, one new commit {many[2] / few[2]:.2f}")


if __name__ == "__main__":
    main()
