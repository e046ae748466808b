"""Write git histories fast and the same every time, with ``git fast-import``."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

_CLEAN = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


@dataclass(frozen=True, slots=True)
class Person:
    """Who wrote a commit."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class NewCommit:
    """One commit to write.

    Attributes:
        branch: short name of its branch.
        mark: number by which later commits name it.
        author: who wrote it.
        when: when, with a zone.
        message: its message.
        files: path to content; None deletes.
        parents: marks; empty for a root.
    """

    branch: str
    mark: int
    author: Person
    when: datetime
    message: str
    files: Mapping[str, str | None] = field(default_factory=dict)
    parents: tuple[int, ...] = ()


def commit_lines(commit: NewCommit) -> Iterator[bytes]:
    """Yield a commit in the language of git-fast-import(1)."""
    stamp = f"{int(commit.when.timestamp())} {commit.when:%z}"
    yield f"commit refs/heads/{commit.branch}\nmark :{commit.mark}\n".encode()
    yield f"author {commit.author.name} <{commit.author.email}> {stamp}\n".encode()
    yield f"committer {commit.author.name} <{commit.author.email}> {stamp}\n".encode()
    yield _data(commit.message)
    for i, parent in enumerate(commit.parents):
        yield f"{'merge' if i else 'from'} :{parent}\n".encode()
    for path, content in commit.files.items():
        yield f"D {path}\n".encode() if content is None else f"M 100644 inline {path}\n".encode() + _data(content)
    yield b"\n"


def tag_lines(name: str, mark: int, tagger: Person, when: datetime, message: str) -> bytes:
    """Return an annotated tag in the language of git-fast-import(1)."""
    stamp = f"{int(when.timestamp())} {when:%z}"
    head = f"tag {name}\nfrom :{mark}\ntagger {tagger.name} <{tagger.email}> {stamp}\n"
    return head.encode() + _data(message)


def _data(text: str) -> bytes:
    raw = text.encode()
    return b"data %d\n%s\n" % (len(raw), raw)


def git(folder: Path, *args: str) -> str:
    """Run git in a folder with no configuration of the user's; return what it prints."""
    env = {**os.environ, **_CLEAN}
    done = subprocess.run(["git", *args], cwd=folder, env=env, check=True, capture_output=True)
    return done.stdout.decode("utf-8", "backslashreplace").strip()


def write_repository(folder: Path, stream: Iterable[bytes], head: str = "main") -> Path:
    """Make a bare repository from a stream for ``git fast-import`` and return its folder."""
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "--bare", "-b", head)
    with subprocess.Popen(
        ["git", "fast-import", "--quiet"], cwd=folder, stdin=subprocess.PIPE, env={**os.environ, **_CLEAN}
    ) as child:
        assert child.stdin is not None  # noqa: S101 - for the type checker; it was opened as a pipe
        for piece in stream:
            child.stdin.write(piece)
    if child.returncode:
        msg = f"git fast-import ended with status {child.returncode}"
        raise RuntimeError(msg)
    return folder


def long_history(commits: int, first: datetime, people: int = 40, files: int = 600) -> Iterator[bytes]:
    """Yield a history of one branch: each commit changes one to four files of some hundred lines."""
    chance = random.Random(commits)  # noqa: S311 - the same history every time, no secret
    content: dict[str, list[str]] = {}
    for mark in range(1, commits + 1):
        changed: dict[str, str | None] = {}
        for _ in range(chance.choice((1, 1, 2, 4))):
            path = f"src/part{chance.randrange(20):02}/file{chance.randrange(files // 20):03}.py"
            lines = content.setdefault(path, [f"line {i} of {path}\n" for i in range(chance.randrange(5, 120))])
            lines[chance.randrange(len(lines))] = f"changed by commit {mark}\n"
            lines.insert(chance.randrange(len(lines)), f"added by commit {mark}\n")
            changed[path] = "".join(lines)
        number = chance.randrange(people)
        author = Person(f"Person {number}", f"person{number}@demo.example")
        when = datetime.fromtimestamp(first.timestamp() + mark * 600, first.tzinfo)
        message = f"Change {len(changed)} files in step {mark}\n\nWhy: it was due.\n"
        parents = (mark - 1,) if mark > 1 else ()
        yield from commit_lines(NewCommit("main", mark, author, when, message, changed, parents))
