"""Two repositories behind a git server with a password; read back by the git command in the repositories themselves."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leat.demo.seed.git_history import git
from leat.demo.servers.git_server import start_git_server
from leat.demo.servers.process import stop
from tests.contract.proxy import HTTP, Proxy, proxied
from tests.contract.world import MAIL, PERSON, REFUSED, SECRET, Keys, Row, Step, World

USER = "reader"
NAMES = ("one", "two")


@dataclass
class _Repositories:
    """Bare repositories below ``root``, and a work tree of ``one``."""

    root: Path
    tree: Path
    ever: dict[str, set[tuple[Any, ...]]] = field(default_factory=dict)

    def commit(self, path: str, content: str, message: str) -> str:
        (self.tree / path).write_text(content)
        git(self.tree, "add", "-A")
        git(self.tree, "commit", "-q", "-m", message)
        return git(self.tree, "rev-parse", "HEAD")

    def seed(self) -> None:
        for name in NAMES:
            git(self.root, "init", "-q", "--bare", "-b", "main", f"{name}.git")
        git(self.root, "init", "-q", "-b", "main", str(self.tree))
        git(self.tree, "config", "user.name", PERSON)
        git(self.tree, "config", "user.email", MAIL)
        self.commit("a.py", "print(1)\n", "Begin")
        git(self.tree, "push", "-q", str(self.root / "two.git"), "main")
        git(self.tree, "checkout", "-q", "-b", "side")
        self.commit("b.py", "print(2)\n", "Go aside")
        git(self.tree, "checkout", "-q", "main")
        self.commit("c.md", "# c\n", "Go on")
        git(self.tree, "merge", "-q", "--no-edit", "side")
        git(self.tree, "tag", "light")
        git(self.tree, "tag", "-a", "-m", "Release", "v1")
        git(self.tree, "push", "-q", str(self.root / "one.git"), "--all")
        git(self.tree, "push", "-q", str(self.root / "one.git"), "--tags")

    def keys(self) -> dict[str, Keys]:
        now: dict[str, set[tuple[Any, ...]]] = {stream: set() for stream in _COLUMNS}
        for name in NAMES:
            for stream, values in self._of(name).items():
                now[stream] |= {(name, *value) for value in values}
        for stream in _PERMANENT:
            self.ever.setdefault(stream, set()).update(now[stream])
            now[stream] = set(self.ever[stream])
        return {stream: Keys(columns, frozenset(now[stream])) for stream, columns in _COLUMNS.items()}

    def _of(self, name: str) -> dict[str, set[tuple[Any, ...]]]:
        def lines(*args: str) -> list[str]:
            return [line for line in git(self.root / f"{name}.git", *args).splitlines() if line]

        refs = {(ref,) for ref in lines("for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags")}
        history = [line.split() for line in lines("rev-list", "--all", "--parents")]
        files: set[tuple[Any, ...]] = set()
        for line in lines("log", "--all", "--format=commit %H", "--name-only", "--diff-merges=first-parent"):
            if line.startswith("commit "):
                commit = line.removeprefix("commit ")
            else:
                files.add((commit, line))
        people = [line.split("|") for line in lines("log", "--all", "--format=%ae|%an|%ce|%cn")]
        return {
            "repositories": {()},
            "refs": refs,
            "ref_updates": refs,
            "commits": {(commit,) for commit, *_ in history},
            "commit_parents": {(own, i) for own, *parents in history for i in range(1, len(parents) + 1)},
            "commit_files": files,
            "tags": {(tag,) for tag in lines("tag")},
            "files": {(path,) for path in lines("ls-tree", "-r", "--name-only", "main")},
            "merges": {(commit,) for commit in lines("rev-list", "--all", "--min-parents=2")},
            "authors": {pair for a, b, c, d in people for pair in ((a, b), (c, d))},
        }

    def push(self, ref: str) -> None:
        git(self.tree, "push", "-q", str(self.root / "one.git"), ref)

    def add(self) -> Step:
        git(self.tree, "checkout", "-q", "-b", "later")
        commit = self.commit("d.txt", "d\n", "Add d")
        self.push("later")
        touched: dict[str, Callable[[Row], bool]] = {
            **{stream: lambda row: row["commit"] == commit for stream in ("commits", "commit_parents", "commit_files")},
            "repositories": _of_one,
            "refs": _ref("refs/heads/later"),
            "ref_updates": _ref("refs/heads/later"),
        }
        files = ("commit_files", {"commit": commit, "path": "d.txt", "status": "A", "added": 1})
        return Step(touched, [("commits", {"commit": commit, "author_offset": "+0000"}), files])

    def change(self) -> Step:
        """Rewrite the branch: the commit of before stays, for it was seen."""
        git(self.tree, "commit", "-q", "--amend", "-m", "Add d, better")
        commit = git(self.tree, "rev-parse", "HEAD")
        self.push("+later")
        touched: dict[str, Callable[[Row], bool]] = {
            **{stream: lambda row: row["commit"] == commit for stream in ("commits", "commit_parents", "commit_files")},
            "refs": _ref("refs/heads/later"),
            "ref_updates": _ref("refs/heads/later"),
        }
        update = ("ref_updates", {"ref": "refs/heads/later", "kind": "forced", "new": commit})
        return Step(touched, [("refs", {"name": "later", "commit": commit}), update])

    def delete(self) -> Step:
        self.push(":refs/heads/later")
        self.push(":refs/tags/light")
        gone = ("refs/heads/later", "refs/tags/light")
        touched: dict[str, Callable[[Row], bool]] = {
            "repositories": _of_one,
            "refs": _ref(*gone),
            "ref_updates": _ref(*gone),
            "tags": lambda row: row["name"] == "light",
        }
        seen = [("ref_updates", {"ref": ref, "kind": "deleted"}) for ref in gone]
        return Step(touched, seen, [("refs", {"name": "later"}), ("tags", {"name": "light"})])


_COLUMNS = {
    "repositories": ("repository",),
    "refs": ("repository", "ref"),
    "ref_updates": ("repository", "ref"),  # the rest of the key is the time of the run
    "commits": ("repository", "commit"),
    "commit_parents": ("repository", "commit", "position"),
    "commit_files": ("repository", "commit", "path"),
    "tags": ("repository", "name"),
    "files": ("repository", "path"),
    "merges": ("repository", "commit"),
    "authors": ("repository", "email_raw", "name_raw"),
}
_PERMANENT = ("ref_updates", "commits", "commit_parents", "commit_files", "merges", "authors")


def _of_one(row: Row) -> bool:
    return bool(row["repository"] == "one")


def _ref(*names: str) -> Callable[[Row], bool]:
    return lambda row: row["repository"] == "one" and row["ref"] in names


@contextmanager
def open_world(folder: Path, database: Callable[[], str]) -> Iterator[World]:
    """Start a git server behind a counting proxy."""
    root = folder / "root"
    root.mkdir(parents=True)
    repositories = _Repositories(root, folder / "tree")
    repositories.seed()
    running = [start_git_server(folder / "server", root, None, USER, SECRET)]
    port = running[0].port

    def halt(proxy: Proxy) -> None:
        stop(running.pop().pid)
        proxy.close()

    def again(proxy: Proxy) -> None:
        running.append(start_git_server(folder / "server", root, port, USER, SECRET))
        proxy.open()

    with proxied(port, HTTP) as proxy:
        addresses = " ".join(f"http://127.0.0.1:{proxy.port}/{name}.git" for name in NAMES)
        yield World(
            connection={
                "repositories": [{"env": "CONTRACT_GIT_REPOSITORIES"}],
                "username": USER,
                "password": {"env": "CONTRACT_GIT_PASSWORD"},
            },
            environment={"CONTRACT_GIT_REPOSITORIES": addresses, "CONTRACT_GIT_PASSWORD": SECRET},
            refused={"CONTRACT_GIT_PASSWORD": REFUSED},
            keys=repositories.keys,
            add=repositories.add,
            change=repositories.change,
            delete=repositories.delete,
            stop=lambda: halt(proxy),
            start=lambda: again(proxy),
            requests=lambda: proxy.seen,
            secrets=[base64.b64encode(f"{USER}:{password}".encode()).decode() for password in (SECRET, REFUSED)],
        )
    for process in running:
        stop(process.pid)
