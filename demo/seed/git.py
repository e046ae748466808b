"""The demo company's repositories: ``leat`` with this project's own history, and ``shop``, which is made up.

``shop`` has what a small team leaves behind in ten weeks: a merged, an unmerged and a stale branch, a merge, light and
annotated tags, a ``.mailmap``, a commit by somebody from elsewhere. Seeding twice changes nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from leat.demo.seed.git_history import NewCommit, Person, commit_lines, git, tag_lines, write_repository

ALICE = Person("Alice Martin", "alice.martin@demo.example")
BOB = Person("Bob Okafor", "bob.okafor@demo.example")
BOB_AT_HOME = Person("bob", "bob@laptop.invalid")
CAROL = Person("Carol Svensson", "carol.svensson@demo.example")
DAN = Person("Dan Rossi", "dan.rossi@demo.example")
MALLORY = Person("Mallory", "mallory@elsewhere.example")
"""Nobody of the company: no calendar, no mailbox, no account has this address."""
GUS = Person("Gus Haddad", "gus.haddad@demo.example")
"""He left two weeks before the company began, and committed once more after that."""

_DAYS = 70
_MAILMAP = f"{BOB.name} <{BOB.email}> <{BOB_AT_HOME.email}>\n"
_WORK = (
    (ALICE, "catalogue.py", "Show products by category"),
    (BOB, "cart.py", "Keep the cart when the session ends"),
    (CAROL, "checkout.py", "Ask for the address once"),
    (DAN, "static/shop.css", "Make the price readable on phones"),
    (BOB_AT_HOME, "cart.py", "Count pieces, not lines"),
    (ALICE, "orders.sql", "Store money in minor units"),
    (CAROL, "checkout.py", "Refuse an empty cart"),
    (DAN, "README.md", "Tell how to start the shop"),
)


def seed_repositories(
    root: Path, now: datetime, checkout: Path | None = None, others: Sequence[str] = ()
) -> list[Path]:
    """Make the repositories that aren't there yet and return their folders.

    Args:
        root: where the bare repositories go.
        now: the history of ``shop`` ends shortly before.
        checkout: this project's repository, whole or shallow; its new commits are taken over each time. None, or a
            folder that is no repository or has no commits, leaves ``leat`` out.
        others: addresses of further repositories to serve copies of, brought up to date each time.
    """
    shop = root / "shop.git"
    if not shop.exists():
        half = root / "shop.half"  # an interrupted seeding starts again
        shutil.rmtree(half, ignore_errors=True)
        _write_shop(half, now)
        half.rename(shop)
    folders = [shop]
    if checkout is not None and (checkout / ".git").exists() and git(checkout, "for-each-ref", "--count=1"):
        head = git(checkout, "rev-parse", "--symbolic-full-name", "HEAD")
        folders.append(_copy(checkout.as_uri(), root / "leat.git", head))
    for address in others:
        name = address.rstrip("/").removesuffix(".git").rsplit("/", maxsplit=1)[-1] or "other"
        head = git(root, "ls-remote", "--symref", address, "HEAD").partition("ref: ")[2].partition("\t")[0]
        folders.append(_copy(address, root / f"{name}.git", head))
    return folders


def _copy(address: str, folder: Path, head: str) -> Path:
    if not folder.exists():
        folder.mkdir(parents=True)
        git(folder, "init", "-q", "--bare", "-b", "main")
    specs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    git(folder, "fetch", "-q", "--prune", "--update-shallow", "--no-write-fetch-head", address, *specs)
    if not head.startswith("refs/heads/"):  # a detached HEAD
        branches = git(folder, "for-each-ref", "--count=1", "--format=%(refname)", "refs/heads/").split()
        head = (branches or ["refs/heads/main"])[0]
    git(folder, "symbolic-ref", "HEAD", head)
    return folder


def _write_shop(folder: Path, now: datetime) -> None:
    start = now.replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=_DAYS)

    def lines() -> Iterator[bytes]:
        for commit in _shop(start):
            yield from commit_lines(commit)
        yield b"reset refs/tags/v0.1.0\nfrom :12\n\n"
        yield tag_lines("v0.2.0", 30, ALICE, start + timedelta(days=45), "Version 0.2.0\n\nThe first that sells.\n")

    write_repository(folder, lines())


def _shop(start: datetime) -> Iterator[NewCommit]:
    """Yield the commits: 40 on main, a merge among them, and those of three branches."""

    def at(day: float) -> datetime:
        return start + timedelta(hours=24 * day)

    yield NewCommit("main", 1, ALICE, at(0), "Start the shop\n", {"README.md": "# Shop\n", ".mailmap": _MAILMAP})
    yield NewCommit("spike/old-theme", 101, DAN, at(1), "Try a dark theme\n", {"static/dark.css": "body {}\n"}, (1,))
    content = {path: f"{path}\n" for _, path, _ in _WORK}
    last = 1
    for step in range(2, 41):
        author, path, subject = _WORK[step % len(_WORK)]
        if step == 22:
            author = MALLORY
        if step == 38:
            author = GUS
        day = step * (_DAYS - 2) / 40
        content[path] += f"{subject} ({step})\n"
        files: dict[str, str | None] = {path: content[path]}
        parents: tuple[int, ...] = (last,)
        if step == 24:
            yield from _feature(last, at(day - 1))
            author, subject, parents = ALICE, "Merge branch 'feature/checkout'", (last, 202)
            files["payment.py"] = "def pay():\n    return True\n"
        yield NewCommit("main", step, author, at(day), f"{subject}\n\nStep {step}.\n", files, parents)
        last = step
    yield NewCommit(
        "feature/search", 301, CAROL, at(_DAYS - 3), "Search by name\n", {"search.py": "import re\n"}, (36,)
    )
    yield NewCommit(
        "feature/search", 302, BOB, at(_DAYS - 2), "Rank hits\n", {"search.py": "import re, math\n"}, (301,)
    )


def _feature(fork: int, when: datetime) -> Iterator[NewCommit]:
    files: dict[str, str | None] = {"payment.py": "def pay(): ...\n"}
    yield NewCommit("feature/checkout", 201, BOB, when, "Add payment\n", files, (fork,))
    done: dict[str, str | None] = {"payment.py": "def pay():\n    return True\n"}
    yield NewCommit("feature/checkout", 202, BOB, when + timedelta(hours=3), "Take payment\n", done, (201,))
