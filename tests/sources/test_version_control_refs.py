"""Branches and tags: what a run costs when few of many moved, odd refs and objects, repositories that fail alone."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from leat.demo.seed.git_history import git
from leat.sources.errors import NotFound, UnexpectedShape
from tests.sources.git_repositories import Repository, Warehouse, new_repository

PERSON = b"A <a@demo.example> 1700000000 +0000"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return new_repository(tmp_path / "work" / "app")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    folder = tmp_path / "project"
    folder.mkdir()
    return Warehouse(folder)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that gets a line for every git that is started."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "git"
    log = tmp_path / "started"
    script.write_text(f'#!/bin/sh\necho "$1" >> {log}\nexec {shutil.which("git")} "$@"\n')
    script.chmod(0o700)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    return log


def commands(started: Path) -> list[str]:
    """Return the commands that were started, but for those of each octopus merge, and the version, asked for once."""
    apart = ("merge-tree", "commit-tree", "version")
    return sorted(word for word in started.read_text().split() if word not in apart)


def history(repository: Repository, commits: int, tags: int, seed: int = 1) -> None:
    """Write a history of branches and merges with light and annotated tags all over it."""
    chosen = random.Random(seed)  # noqa: S311 - a history that is the same each time
    lines = []
    for n in range(1, commits + 1):
        parents = [n - 1] if n > 1 else []
        if n > 5 and chosen.random() < 0.4:
            parents = chosen.sample(range(max(1, n - 9), n), chosen.choice([1, 1, 2, 3]))
        data = f"mark :{n}\ncommitter A <a@demo.example> {1_600_000_000 + n} +0000\ndata 2\nx\n"
        data += "".join(f"{'merge' if at else 'from'} :{parent}\n" for at, parent in enumerate(parents))
        data += "M 100644 inline file\ndata 1\nx\n" if n == 1 else ""
        lines.append(f"commit refs/heads/b{n % 7}\n{data}")
    lines.append(f"reset refs/heads/main\nfrom :{commits}\n")
    for number in range(tags):
        at = chosen.randint(1, commits)
        if number % 2:
            lines.append(f"reset refs/tags/light{number}\nfrom :{at}\n")
        else:
            lines.append(f"tag noted{number}\nfrom :{at}\ntagger A <a@demo.example> 1700000000 +0000\ndata 2\nt\n")
    script = "\n".join(lines).encode()
    command = ["git", "fast-import", "--quiet", "--force"]
    subprocess.run(command, cwd=repository.folder, input=script, check=True, capture_output=True)


def counted(repository: Repository, ref: str) -> tuple[int, int] | tuple[None, None]:
    try:
        ahead, behind = repository.git("rev-list", "--left-right", "--count", f"{ref}...HEAD").split()
    except subprocess.CalledProcessError:
        return None, None  # it leads to no commit
    return int(ahead), int(behind)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ahead_and_behind_are_those_that_git_counts(repository: Repository, warehouse: Warehouse, seed: int) -> None:
    history(repository, 120, 20, seed)
    repository.git("tag", "tree", repository.git("hash-object", "-t", "tree", "-w", "--stdin"))
    repository.git("update-ref", "refs/heads/unrelated", repository.git("commit-tree", "tree", "-m", "root"))
    warehouse.load(str(repository.folder))
    actual = {row["ref"]: (row["ahead"], row["behind"]) for row in warehouse.rows("refs")}
    assert len(actual) == 30
    assert actual == {ref: counted(repository, ref) for ref in actual}


def test_one_new_tag_costs_the_same_among_few_refs_and_many(tmp_path: Path, started: Path) -> None:
    processes = {}
    for tags in (6, 90):
        repository = new_repository(tmp_path / str(tags) / "app")
        history(repository, 100, tags)
        warehouse = Warehouse(tmp_path / str(tags))
        warehouse.load(str(repository.folder))
        for name in ("light", "noted"):
            repository.git("tag", *(["-a", "-m", "x"] if name == "noted" else []), f"new-{name}", "main~3")
            started.write_text("")
            came = warehouse.load(str(repository.folder))
            processes[tags, name] = commands(started)
            assert (came["refs"], came["tags"], came["ref_updates"]) == (1, 1, 1)
    for name in ("light", "noted"):
        assert processes[6, name] == processes[90, name]
        assert len(processes[90, name]) < 30
        assert processes[90, name].count("rev-list") == 1


def test_a_first_run_and_a_moved_head_start_as_many_processes_whatever_the_refs(tmp_path: Path, started: Path) -> None:
    processes = []
    for tags in (12, 120):
        repository = new_repository(tmp_path / str(tags) / "app")
        history(repository, 100, tags)
        warehouse = Warehouse(tmp_path / str(tags))
        for _ in range(2):
            started.write_text("")
            came = warehouse.load(str(repository.folder))
            assert came["refs"] == tags + 8
            processes.append(commands(started))
            repository.git("reset", "-q", "--hard")
            repository.commit("next", {"a": str(tags)})
    assert processes[0] == processes[2]
    assert processes[1] == processes[3]


def test_what_is_there_after_each_change_is_what_a_first_run_finds(
    repository: Repository, warehouse: Warehouse, tmp_path: Path
) -> None:
    history(repository, 60, 12)
    repository.git("reset", "-q", "--hard")
    changes: list[tuple[str, ...]] = [
        ("tag", "-f", "light1", "main~5"),
        ("tag", "-f", "-a", "-m", "again", "noted0", "main~2"),
        ("tag", "-d", "light3", "noted2"),
        ("branch", "-f", "b1", "main"),
        ("branch", "-D", "b2"),
        ("symbolic-ref", "HEAD", "refs/heads/b1"),
        ("symbolic-ref", "HEAD", "refs/heads/b3"),
        ("commit", "-q", "--allow-empty", "-m", "on b3"),
        ("branch", "-m", "b3", "renamed"),
        ("checkout", "-q", "--detach"),
        ("update-ref", "-d", "refs/heads/renamed"),
    ]
    warehouse.load(str(repository.folder))
    for number, change in enumerate(changes):
        repository.git(*change)
        warehouse.load(str(repository.folder))
        fresh = Warehouse(tmp_path / f"fresh{number}")
        fresh.load(str(repository.folder))
        for stream in ("repositories", "refs", "tags"):
            assert (change, warehouse.tables[stream]) == (change, fresh.tables[stream])
    assert warehouse.load(str(repository.folder)) == {}


ODD_NAMES = [
    '"quoted"',
    "it's",
    "$(x)`y`",
    "a%20b%00",
    "x@y",
    "HEAD",
    "refs/heads/main",
    "-dash",
    "\u00fcn\u00ef",
    "l" * 200,
]


def test_refs_with_odd_names(repository: Repository, warehouse: Warehouse) -> None:
    commit = repository.commit("one", {"a": "a"})
    for kind in ("heads", "tags"):
        for name in ODD_NAMES:
            repository.git("update-ref", f"refs/{kind}/{name}", commit)
        for raw in (b"\xff\xfe", b"caf\xe9"):
            subprocess.run(
                [b"git", b"update-ref", b"refs/%s/" % kind.encode() + raw, commit.encode()],
                cwd=repository.folder,
                check=True,
            )
    repository.git("pack-refs", "--all")
    warehouse.load(str(repository.folder))
    expected = {*ODD_NAMES, r"\xff\xfe", r"caf\xe9"}
    assert {row["name"] for row in warehouse.rows("refs", kind="branch")} == expected | {"main"}
    assert {row["name"] for row in warehouse.rows("tags")} == expected
    new = repository.commit("two", {"a": "b"})
    for raw in (b"refs/heads/\xff\xfe", b"refs/tags/caf\xe9"):
        subprocess.run([b"git", b"update-ref", raw, new.encode()], cwd=repository.folder, check=True)
    warehouse.load(str(repository.folder))
    assert warehouse.row("refs", ref=r"refs/heads/\xff\xfe")["commit"] == new
    assert warehouse.row("tags", name=r"caf\xe9")["object"] == new
    assert len(warehouse.rows("refs")) == 2 * len(expected) + 1


ODD_PEOPLE = {
    "a zone of a hundred hours": b"author A <a@demo.example> 1700000000 +9999\ncommitter " + PERSON,
    "a zone in letters": b"author A <a@demo.example> 1700000000 PST\ncommitter " + PERSON,
    "before 1970": b"author A <a@demo.example> -99 +0000\ncommitter " + PERSON,
    "after the year 9999": b"author A <a@demo.example> 99999999999999999999999 +0000\ncommitter " + PERSON,
    "no date": b"author A <a@demo.example>\ncommitter " + PERSON,
    "no name": b"author <a@demo.example> 1 +0000\ncommitter " + PERSON,
    "no address": b"author A 1 +0000\ncommitter " + PERSON,
    "no author": b"committer " + PERSON,
    "no committer": b"author " + PERSON,
    "two authors": b"author " + PERSON + b"\nauthor " + PERSON + b"\ncommitter " + PERSON,
    "NUL in a name": b"author A\0B <a@demo.example> 1 +0000\ncommitter " + PERSON,
    "a control character": b"author \x01A <a@demo.example> 1 +0000\ncommitter " + PERSON,
    "no UTF-8": b"author \xe9 <a@demo.example> 1 +0000\ncommitter " + PERSON,
    "an unknown encoding": b"author " + PERSON + b"\ncommitter " + PERSON + b"\nencoding nonsense",
    "a huge header": b"author " + PERSON + b"\ncommitter " + PERSON + b"\nx-note " + b"y" * 1_000_000,
}
ODD_MESSAGES = [b"", b"\0", b"a\0b", b"\x01a\n\n\x01b\n", b":100644 a\n", b"\xff\xfe", b"m" * 1_000_000, b"\n\n\n"]


def test_an_odd_commit_is_loaded_and_stops_no_other(repository: Repository, warehouse: Warehouse) -> None:
    first = repository.commit("one", {"a": "a"}).encode()
    plain = b"author " + PERSON + b"\ncommitter " + PERSON
    headers = [*((header, b"m\n") for header in ODD_PEOPLE.values()), *((plain, message) for message in ODD_MESSAGES)]
    for number, (header, message) in enumerate(headers):
        odd = repository.raw_commit(b"parent " + first + b"\n" + header, message)
        repository.git("update-ref", f"refs/heads/odd{number}", odd)
    warehouse.load(str(repository.folder))
    assert warehouse.commits() == set(repository.lines("rev-list", "--all"))
    assert len(warehouse.rows("commit_parents")) == len(headers)
    assert warehouse.load(str(repository.folder)) == {}


ODD_TAGGERS = {
    "none": b"",
    "no date": b"tagger A <a@demo.example>\n",
    "a date in words": b"tagger A <a@demo.example> soon +0000\n",
    "after the year 9999": b"tagger A <a@demo.example> 99999999999999999999 +9999\n",
    "no UTF-8": b"tagger \xe9 <a@demo.example> 1 +0000\n",
}


def test_odd_tags_are_loaded(repository: Repository, warehouse: Warehouse) -> None:
    commit = repository.commit("one", {"a": "a"})
    targets = {
        commit: "commit",
        repository.git("rev-parse", "HEAD^{tree}"): "tree",
        repository.git("rev-parse", "HEAD:a"): "blob",
    }
    for number, tagger in enumerate(ODD_TAGGERS.values()):
        for target, kind in targets.items():
            head = f"object {target}\ntype {kind}\ntag t\n".encode()
            tag = repository.raw(
                "tag", head + tagger + b"\n" + (b"\xe9\0x\n" if number else b"-----BEGIN PGP SIGNATURE-----\n")
            )
            nested = repository.raw("tag", f"object {tag}\ntype tag\ntag t\n".encode() + tagger + b"\nm\n")
            repository.git("update-ref", f"refs/tags/{kind}{number}", tag)
            repository.git("update-ref", f"refs/tags/nested-{kind}{number}", nested)
    warehouse.load(str(repository.folder))
    assert len(warehouse.rows("tags")) == 2 * len(ODD_TAGGERS) * len(targets)
    assert {(row["object"], row["object_type"]) for row in warehouse.rows("tags")} == set(targets.items())
    assert {row["commit"] for row in warehouse.rows("refs", kind="tag")} == {commit, None}


DAMAGED_TAGS = {
    "no tag": b"garbage\n",
    "of another type": b"object %s\ntype tree\ntag t\ntagger " + PERSON + b"\n\nm\n",
    "of nothing": b"object " + b"1" * 40 + b"\ntype commit\ntag t\ntagger " + PERSON + b"\n\nm\n",
    "without a name": b"object %s\ntype commit\ntagger " + PERSON + b"\n\nm\n",
}


def test_refs_that_cannot_be_delivered_are_quarantined(repository: Repository, warehouse: Warehouse) -> None:
    commit = repository.commit("one", {"a": "a"})
    for number in range(20):
        repository.git("tag", f"good{number}")
    for name, content in DAMAGED_TAGS.items():
        tag = repository.raw("tag", content.replace(b"%s", commit.encode()))
        path = repository.folder / ".git/refs/tags" / name.replace(" ", "-")
        path.write_text(tag + "\n")  # git itself refuses to make such a ref
    warehouse.load(str(repository.folder))
    assert warehouse.commits() == {commit}
    assert {row["name"] for row in warehouse.rows("tags")} == {f"good{number}" for number in range(20)}
    expected = sorted(f"app refs/tags/{name.replace(' ', '-')}" for name in DAMAGED_TAGS)
    assert [item.key for item in warehouse.quarantined] == expected
    assert warehouse.load(str(repository.folder)) == {}
    new = repository.commit("two", {"a": "b"})
    repository.git("tag", "-d", "good3")
    warehouse.load(str(repository.folder))
    assert warehouse.commits() == {commit, new}
    assert len(warehouse.rows("tags")) == 19
    assert warehouse.quarantined == []
    for name in DAMAGED_TAGS:
        (repository.folder / ".git/refs/tags" / name.replace(" ", "-")).write_text(new + "\n")
    warehouse.load(str(repository.folder))
    assert len(warehouse.rows("tags")) == 19 + len(DAMAGED_TAGS)


def test_notes_and_replacements_change_nothing(repository: Repository, warehouse: Warehouse) -> None:
    first = repository.commit("one", {"a": "1"})
    second = repository.commit("two", {"a": "2"})
    third = repository.commit("three", {"a": "3"})
    repository.git("notes", "add", "-m", "note", second)
    repository.git("replace", second, first)
    warehouse.load(str(repository.folder))
    assert warehouse.commits() == {first, second, third}
    assert {(row["commit"], row["parent"]) for row in warehouse.rows("commit_parents")} == {
        (second, first),
        (third, second),
    }
    assert [row["ref"] for row in warehouse.rows("refs")] == ["refs/heads/main"]


# One repository that fails.


@pytest.fixture
def both(tmp_path: Path, repository: Repository, warehouse: Warehouse) -> tuple[str, str]:
    """Return the addresses of two repositories that were loaded once and have one new commit each."""
    other = new_repository(tmp_path / "work" / "other")
    urls = str(repository.folder), str(other.folder)
    for each in (repository, other):
        each.commit("one", {"a": "1"})
    warehouse.load(*urls)
    for each in (repository, other):
        each.commit("two", {"a": "2"})
    return urls


@pytest.mark.parametrize("first", [True, False])
def test_a_repository_that_is_away_leaves_its_rows_and_stops_no_other(
    both: tuple[str, str], warehouse: Warehouse, first: bool
) -> None:
    away = Path(both[0 if first else 1])
    before, state = warehouse.rows("commits", repository=away.name), warehouse.cursor
    away.rename(away.with_name("elsewhere"))
    warehouse.load(*both)
    assert [(event.where, type(event.error)) for event in warehouse.failed] == [({"repository": away.name}, NotFound)]
    assert warehouse.rows("commits", repository=away.name) == before
    assert len(warehouse.rows("commits")) == 3
    assert state and warehouse.cursor
    assert warehouse.cursor["repositories"][away.name] == state["repositories"][away.name]
    away.with_name("elsewhere").rename(away)
    warehouse.failed.clear()
    assert warehouse.load(*both)["commits"] == 1
    assert warehouse.failed == []


@pytest.mark.parametrize(
    ("command", "broken"),
    [
        ("log", "exit 3"),
        ("log", "printf '\\001a\\000b\\000'; exit 0"),
        ("log", "printf ':100644 x\\000'; exit 0"),
        ("rev-list", "echo nonsense; exit 0"),
    ],
)
def test_a_repository_that_fails_in_the_middle_leaves_nothing_behind(
    both: tuple[str, str], warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, command: str, broken: str
) -> None:
    """Its commits or its refs can't be listed, by damage or by a git that answers something else."""
    git(Path(both[0]), "tag", "old", "main~1")  # somewhere else than HEAD, so that it is counted
    before = {stream: dict(rows) for stream, rows in warehouse.tables.items()}
    line = f'case "$GIT_DIR $1" in *app.git*" {command}") {broken};; esac'
    shim(monkeypatch, warehouse.folder.parent, line)
    warehouse.load(*both)
    assert [(event.where, type(event.error)) for event in warehouse.failed] == [
        ({"repository": "app"}, UnexpectedShape)
    ]
    for stream, rows in before.items():
        assert {k: row for k, row in warehouse.tables[stream].items() if "app" in k} == {
            k: r for k, r in rows.items() if "app" in k
        }
    assert len(warehouse.rows("commits", repository="other")) == 2


def test_when_every_repository_fails_the_run_does(both: tuple[str, str], warehouse: Warehouse) -> None:
    for url in both:
        shutil.rmtree(url)
    with pytest.raises(NotFound):
        warehouse.load(*both)


def shim(monkeypatch: pytest.MonkeyPatch, folder: Path, line: str) -> None:
    """Put a git before git that runs a line of shell first."""
    script = folder / "shim" / "git"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\n{line}\nexec {shutil.which("git")} "$@"\n')
    script.chmod(0o700)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
