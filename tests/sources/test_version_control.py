"""The git driver against real repositories: what users of other systems complain about, and its errors."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from pydantic import ValidationError

from leat.demo.seed.git import GUS, MALLORY, seed_repositories
from leat.demo.seed.git_history import git, long_history, write_repository
from leat.demo.servers.git_server import start_git_server
from leat.demo.servers.process import Process, free_port, running
from leat.sources.driver import Sync
from leat.sources.errors import (
    Forbidden,
    IntegrationError,
    NotConfigured,
    NotFound,
    RateLimited,
    Rejected,
    TimedOut,
    Unauthenticated,
    Unavailable,
    UnexpectedShape,
)
from leat.sources.version_control.git.address import parts_of, repository_name
from leat.sources.version_control.git.driver import Connection, setup_tests
from tests.sources.git_repositories import ALL, START, Repository, Warehouse, new_repository

PASSWORD = "planted-Zu8kqP-password"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return new_repository(tmp_path / "work" / "app")


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    folder = tmp_path / "project"
    folder.mkdir()
    return Warehouse(folder)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Process]:
    (tmp_path / "root").mkdir()
    process = start_git_server(tmp_path / "server", tmp_path / "root", user="alice", password=PASSWORD)
    with running(process):
        yield process


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", "wrong-Zu8kqP-password")


SIGN_IN: dict[str, Any] = {"username": "alice", "password": {"env": "GIT_PASSWORD"}}


def publish(repository: Repository, root: Path, name: str = "app.git") -> Path:
    """Make the bare copy that the server serves."""
    git(root, "clone", "-q", "--mirror", str(repository.folder), name)
    return root / name


def requests_to(server: Process) -> int:
    """Return how many requests the server has had; it logs each before it answers."""
    return sum(line.startswith(("GET ", "POST ")) for line in server.log.read_text().splitlines())


# What comes, counted by git itself.


def test_counts_equal_those_of_git(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a.py": "1\n2\n3\n", "b/c.txt": "x\n"})
    repository.git("tag", "light")
    repository.git("checkout", "-q", "-b", "side")
    repository.commit("two", {"a.py": "1\n2\n", "d": "new\n"})
    repository.git("checkout", "-q", "main")
    repository.commit("three", {"e": "e\n", "b/c.txt": None})
    repository.git("merge", "-q", "--no-edit", "side")
    repository.git("tag", "-a", "-m", "Release one\n\nNotes", "v1")
    warehouse.load(str(repository.folder))

    assert warehouse.commits() == set(repository.lines("rev-list", "--all"))
    refs = {(row["ref"], row["target"]) for row in warehouse.rows("refs")}
    listed = repository.lines("for-each-ref", "--format=%(refname) %(objectname)")
    assert refs == {tuple(line.split()) for line in listed}
    parents = sorted((row["commit"], row["position"], row["parent"]) for row in warehouse.rows("commit_parents"))
    said = [line.split() for line in repository.lines("rev-list", "--all", "--parents")]
    assert parents == sorted((own, i, parent) for own, *rest in said for i, parent in enumerate(rest, 1))
    numstat = repository.lines("log", "--all", "--numstat", "--format=", "--diff-merges=first-parent")
    counted = sorted(f"{row['added']}\t{row['deleted']}\t{row['path']}" for row in warehouse.rows("commit_files"))
    assert counted == sorted(line for line in numstat if line)
    tree = {line.split("\t")[1]: line.split() for line in repository.lines("ls-tree", "-r", "-l", "HEAD")}
    assert {row["path"]: (row["mode"], row["blob"], str(row["size"])) for row in warehouse.rows("files")} == {
        path: (parts[0], parts[2], parts[3]) for path, parts in tree.items()
    }
    assert len(warehouse.rows("tags")) == 2


def test_a_commit_has_every_field(repository: Repository, warehouse: Warehouse) -> None:
    oid = repository.commit(
        "Subject\nstill subject\n\nBody\n\nend",
        {"a": "a"},
        GIT_AUTHOR_NAME="Bob",
        GIT_AUTHOR_EMAIL="bob@laptop.invalid",
        GIT_AUTHOR_DATE="1700000000 +0530",
        GIT_COMMITTER_DATE="1700003600 -0800",
    )
    repository.commit("Map", {".mailmap": "Bob Okafor <bob.okafor@demo.example> <bob@laptop.invalid>\n"})
    warehouse.load(str(repository.folder))
    row = warehouse.row("commits", commit=oid)
    assert (row["author_name"], row["author_email"]) == ("Bob Okafor", "bob.okafor@demo.example")
    assert (row["author_name_raw"], row["author_email_raw"]) == ("Bob", "bob@laptop.invalid")
    assert row["committer_email"] == "alice.martin@demo.example"
    assert (row["authored_at"], row["author_offset"]) == (datetime.fromtimestamp(1_700_000_000, UTC), "+0530")
    assert (row["committed_at"], row["committer_offset"]) == (datetime.fromtimestamp(1_700_003_600, UTC), "-0800")
    assert (row["subject"], row["body"]) == ("Subject still subject", "Body\n\nend\n")
    assert row["tree"] == repository.git("rev-parse", f"{oid}^{{tree}}")
    assert (row["parent_count"], row["encoding"], row["signature"], row["extra"]) == (0, None, None, None)
    assert warehouse.row("authors", email_raw="bob@laptop.invalid")["email"] == "bob.okafor@demo.example"


def test_tags_light_annotated_nested_and_of_a_blob(repository: Repository, warehouse: Warehouse) -> None:
    commit = repository.commit("one", {"a": "a"})
    repository.git("tag", "light")
    repository.git("tag", "-a", "-m", "Release\n\nWith notes", "v1", GIT_COMMITTER_DATE="1700000000 +0200")
    repository.git("tag", "-a", "-m", "Tag of a tag", "nested", "v1")
    blob = repository.git("rev-parse", "HEAD:a")
    repository.git("tag", "blob", blob)
    warehouse.load(str(repository.folder))
    light, v1, nested = (warehouse.row("tags", name=name) for name in ("light", "v1", "nested"))
    assert (light["annotated"], light["object"], light["tagger_email"]) == (False, commit, None)
    assert (v1["annotated"], v1["object"], v1["object_type"]) == (True, commit, "commit")
    assert (v1["tagger_email"], v1["tagger_offset"]) == ("alice.martin@demo.example", "+0200")
    assert (v1["tagged_at"], v1["message"]) == (datetime.fromtimestamp(1_700_000_000, UTC), "Release\n\nWith notes\n")
    assert (nested["object"], nested["target"]) == (commit, repository.git("rev-parse", "nested"))
    assert warehouse.row("tags", name="blob")["object_type"] == "blob"
    assert warehouse.row("refs", name="blob")["commit"] is None
    assert warehouse.row("refs", name="nested")["commit"] == commit


def test_branches_ahead_behind_and_merged(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "a"})
    repository.git("branch", "merged")
    repository.git("checkout", "-q", "-b", "open")
    repository.commit("two", {"b": "b"})
    repository.commit("three", {"b": "c"})
    repository.git("checkout", "-q", "main")
    repository.commit("four", {"d": "d"}, GIT_COMMITTER_DATE="1700000000 +0000")
    warehouse.load(str(repository.folder))
    seen = {row["name"]: (row["ahead"], row["behind"], row["merged"]) for row in warehouse.rows("refs")}
    assert seen == {"main": (0, 0, True), "merged": (0, 1, True), "open": (2, 1, False)}
    assert warehouse.row("refs", is_default=True)["last_commit_at"] == datetime.fromtimestamp(1_700_000_000, UTC)
    assert warehouse.row("repositories")["default_branch"] == "main"


def test_a_changed_mailmap_maps_old_commits_again(repository: Repository, warehouse: Warehouse) -> None:
    old = repository.commit("one", {"a": "a"}, GIT_AUTHOR_NAME="al", GIT_AUTHOR_EMAIL="al@home.invalid")
    warehouse.load(str(repository.folder))
    repository.commit("Map", {".mailmap": "Alice Martin <alice.martin@demo.example> <al@home.invalid>\n"})
    came = warehouse.load(str(repository.folder))
    assert warehouse.row("commits", commit=old)["author_email"] == "alice.martin@demo.example"
    assert came["commit_files"] == 1


# The pains.


def test_pain_history_rewritten_in_silence(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "1"})
    lost = repository.commit("two", {"a": "2"})
    warehouse.load(str(repository.folder))
    repository.git("reset", "-q", "--hard", "HEAD~1")
    new = repository.commit("two, rewritten", {"a": "3"})
    came = warehouse.load(str(repository.folder))
    update = warehouse.row("ref_updates", kind="forced")
    assert (update["ref"], update["old"], update["new"]) == ("refs/heads/main", lost, new)
    assert {lost, new} <= warehouse.commits()
    assert came["commits"] == 1


def test_pain_history_rewritten_while_the_mirror_was_away(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "1"})
    lost = repository.commit("two", {"a": "2"})
    warehouse.load(str(repository.folder))
    shutil.rmtree(warehouse.folder / "state")
    repository.git("commit", "-q", "--amend", "-m", "other")
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "-q", "--prune=now")
    warehouse.load(str(repository.folder))
    assert warehouse.row("ref_updates", kind="forced")["old"] == lost
    assert warehouse.commits() == {lost, *repository.lines("rev-list", "--all")}


def test_a_deleted_branch_leaves_its_commits(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "1"})
    repository.git("checkout", "-q", "-b", "gone")
    commit = repository.commit("only there", {"b": "1"})
    repository.git("tag", "old")
    repository.git("checkout", "-q", "main")
    warehouse.load(str(repository.folder))
    repository.git("branch", "-D", "gone")
    repository.git("tag", "-d", "old")
    warehouse.load(str(repository.folder))
    assert {row["ref"] for row in warehouse.rows("ref_updates", kind="deleted", old=commit)} == {
        "refs/heads/gone",
        "refs/tags/old",
    }
    assert commit in warehouse.commits()
    assert [row["name"] for row in warehouse.rows("refs")] == ["main"]
    assert warehouse.rows("tags") == []


def test_pain_renames(repository: Repository, warehouse: Warehouse) -> None:
    odd = 'a "quoted"\tname\nwith everything.py'
    text = "".join(f"line {i}\n" for i in range(20))
    repository.commit("one", {"plain.py": text})
    repository.git("mv", "plain.py", odd)
    renamed = repository.commit("rename", {odd: text + "more\n"})
    repository.git("mv", "--", odd, "-dash.py")
    back = repository.commit("rename again")
    warehouse.load(str(repository.folder))
    row = warehouse.row("commit_files", commit=renamed)
    assert (row["status"], row["old_path"], row["path"], row["added"]) == ("R", "plain.py", odd, 1)
    assert 80 < row["similarity"] < 100
    assert warehouse.row("commit_files", commit=back)["old_path"] == odd
    assert [row["path"] for row in warehouse.rows("files")] == ["-dash.py"]


def test_pain_non_utf8_names_and_messages(repository: Repository, warehouse: Warehouse) -> None:
    (repository.folder / os.fsdecode(b"caf\xe9.txt")).write_text("x")
    repository.commit("odd name", {"größe.txt": "y"})
    people = b"author Ren\xe9 <r@x> 5 +0000\ncommitter Ren\xe9 <r@x> 5 +0000"
    latin = repository.raw_commit(people + b"\nencoding ISO-8859-1", b"d\xe9j\xe0 vu\n")
    wrong = repository.raw_commit(people, b"d\xe9j\xe0 vu\n")
    unknown = repository.raw_commit(people + b"\nencoding KLINGON", b"d\xe9j\xe0 vu\n")
    for name in (latin, wrong, unknown):
        repository.git("branch", name[:8], name)
    warehouse.load(str(repository.folder))
    assert {row["path"] for row in warehouse.rows("files")} == {"caf\\xe9.txt", "größe.txt"}
    row = warehouse.row("commits", commit=latin)
    assert (row["subject"], row["author_name"], row["encoding"]) == ("déjà vu", "René", "ISO-8859-1")
    for name in (wrong, unknown):
        row = warehouse.row("commits", commit=name)
        assert (row["subject"], row["author_name"]) == ("d\\xe9j\\xe0 vu", "Ren\\xe9")


def test_pain_octopus_merges(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "1\n"})
    for name in ("b", "c"):
        repository.git("checkout", "-q", "-b", name, "main")
        repository.commit(name, {name: name})
    repository.git("checkout", "-q", "main")
    repository.commit("two", {"d": "d"})
    repository.git("merge", "-q", "-m", "octopus", "b", "c")
    clean = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "-q", "-b", "clash", "b")
    repository.commit("clash", {"a": "2\n"})
    repository.git("checkout", "-q", "main")
    repository.commit("three", {"a": "3\n"})
    repository.git("merge", "-q", "-s", "ours", "-m", "two parents that conflict", "clash")
    conflicting = repository.git("rev-parse", "HEAD")
    tree, parents = repository.git("rev-parse", "HEAD^{tree}"), ("-p", "HEAD~1", "-p", "clash", "-p", "c")
    forced = repository.git("commit-tree", tree, *parents, "-m", "an octopus that conflicts")
    repository.git("branch", "forced", forced)
    warehouse.load(str(repository.folder))
    verdicts = {
        row["commit"]: (row["parent_count"], row["outcome"], row["conflicts"]) for row in warehouse.rows("merges")
    }
    assert verdicts == {clean: (3, "clean", 0), conflicting: (2, "conflicting", 1), forced: (3, "conflicting", 1)}
    assert {row["path"] for row in warehouse.rows("commit_files", commit=clean)} == {"b", "c"}
    assert all(row["is_merge"] for row in warehouse.rows("commit_files", commit=clean))


def test_pain_empty_repositories(repository: Repository, warehouse: Warehouse) -> None:
    warehouse.load(str(repository.folder))
    row = warehouse.row("repositories")
    assert (row["is_empty"], row["head"], row["branches"]) == (True, None, 0)
    assert warehouse.load(str(repository.folder)) == {}
    oid = repository.commit("first", {"a": "a"})
    warehouse.load(str(repository.folder))
    assert warehouse.commits() == {oid}
    assert warehouse.row("repositories")["is_empty"] is False


def test_pain_shallow_clones(repository: Repository, warehouse: Warehouse, tmp_path: Path) -> None:
    for i in range(6):
        repository.commit(f"commit {i}", {"a": str(i), f"f{i}": "x"})
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth=2", repository.folder.as_uri(), str(shallow))
    warehouse.load(str(shallow))
    assert [event.event_type for event in warehouse.logged] == ["shallow_history"]
    assert len(warehouse.commits()) == 2
    edge = repository.git("rev-parse", "HEAD~1")
    assert warehouse.row("commits", commit=edge)["parent_count"] == 1
    assert warehouse.row("commit_parents", commit=edge)["parent"] == repository.git("rev-parse", "HEAD~2")
    assert warehouse.rows("commit_files", commit=edge) == []
    assert warehouse.load(str(shallow)) == {}
    git(shallow, "fetch", "-q", "--depth=4")
    warehouse.load(str(shallow))
    assert len(warehouse.commits()) == 4
    git(shallow, "fetch", "-q", "--unshallow")
    warehouse.load(str(shallow))
    assert warehouse.commits() == set(repository.lines("rev-list", "--all"))
    assert len(warehouse.rows("commit_files")) == 12
    assert warehouse.row("repositories")["is_shallow"] is False
    assert warehouse.load(str(shallow)) == {}


def test_pain_submodules(repository: Repository, warehouse: Warehouse, tmp_path: Path) -> None:
    library = new_repository(tmp_path / "library")
    pinned = library.commit("lib", {"lib.py": "x"})
    repository.commit("one", {"a": "a"})
    allowed = ("-c", "protocol.file.allow=always")
    repository.git(*allowed, "submodule", "--quiet", "add", str(library.folder), "vendor/library")
    added = repository.commit("add library")
    warehouse.load(str(repository.folder))
    change = warehouse.row("commit_files", commit=added, path="vendor/library")
    assert (change["submodule"], change["mode"], change["blob"], change["status"]) == (True, "160000", pinned, "A")
    file = warehouse.row("files", path="vendor/library")
    assert (file["submodule"], file["size"], file["blob"]) == (True, None, pinned)
    assert pinned not in warehouse.commits()


def test_pain_huge_histories_in_bounded_memory(warehouse: Warehouse, tmp_path: Path) -> None:
    folder = write_repository(tmp_path / "long.git", long_history(3_000, START))
    warehouse.load(str(folder), streams=frozenset({"refs"}))  # imports, and the mirror
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    counter = Counter(warehouse.folder)
    came = counter.load(str(folder))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert came["commits"] == int(git(folder, "rev-list", "--count", "--all")) == 3_000
    numstat = git(folder, "log", "--all", "--numstat", "--format=").splitlines()
    assert came["commit_files"] == sum(1 for line in numstat if line)
    assert counter.largest <= 20_000
    assert grown < 100, f"{grown} MB"


class Counter(Warehouse):
    """Counts rows and stores none."""

    largest = 0

    def _take(self, event: object, came: dict[str, int]) -> None:
        table = getattr(event, "table", None)
        if table is not None:
            self.largest = max(self.largest, table.num_rows)
            came[event.stream] = came.get(event.stream, 0) + table.num_rows  # type: ignore[attr-defined]


# Odd commits and files.


def test_root_empty_binary_symlink_mode_and_type(repository: Repository, warehouse: Warehouse) -> None:
    root = repository.commit("root", {"bin": b"\x00\x01", "run.sh": "#!/bin/sh\n", "link": "text\n"})
    (repository.folder / "run.sh").chmod(0o755)
    mode = repository.commit("executable")
    (repository.folder / "link").unlink()
    (repository.folder / "link").symlink_to("run.sh")
    kind = repository.commit("now a link")
    empty = repository.commit("")
    warehouse.load(str(repository.folder))
    binary = warehouse.row("commit_files", commit=root, path="bin")
    assert (binary["binary"], binary["added"], binary["deleted"], binary["old_blob"]) == (True, None, None, None)
    change = warehouse.row("commit_files", commit=mode)
    assert (change["status"], change["added"], change["mode"]) == ("M", 0, "100755")
    assert warehouse.row("commit_files", commit=kind)["status"] == "T"
    assert warehouse.rows("commit_files", commit=empty) == []
    assert warehouse.row("commits", commit=empty)["subject"] == ""
    assert warehouse.row("files", path="link")["symlink"] is True
    script = warehouse.row("files", path="run.sh")
    assert (script["executable"], script["language"], script["size"]) == (True, "Shell", 10)


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ("-100 +0000", None),
        ("253402300800 +0000", None),
        ("99999999999999999999 +0000", None),
        ("never", None),
        ("4102444800 +9999", datetime(2100, 1, 1, tzinfo=UTC)),
        ("0 +0000", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_weird_dates(repository: Repository, warehouse: Warehouse, recorded: str, expected: datetime | None) -> None:
    repository.commit("one", {"a": "a"})
    header = f"author A <a@x> {recorded}\ncommitter C <c@x> 1700000000 +0000"
    odd = repository.raw_commit(header.encode(), b"odd\n")
    repository.git("branch", "odd", odd)
    warehouse.load(str(repository.folder))
    row = warehouse.row("commits", commit=odd)
    assert row["authored_at"] == expected
    assert row["committed_at"] == datetime.fromtimestamp(1_700_000_000, UTC)
    if expected is None:
        assert json.loads(row["extra"])["author_time"]["recorded"] == recorded
    else:
        assert row["extra"] is None


def test_missing_names_and_broken_people(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "a"})
    nameless = repository.raw_commit(b"author  <a@x> 5 +0000\ncommitter C <> 5 +0000", b"m\n")
    broken = repository.raw_commit(b"author nobody at all\ncommitter C c@x 5 +0000", b"m\n")
    repository.git("branch", "nameless", nameless)
    repository.git("branch", "broken", broken)
    warehouse.load(str(repository.folder))
    row = warehouse.row("commits", commit=nameless)
    assert (row["author_name"], row["author_email"], row["committer_email"]) == ("", "a@x", "")
    assert warehouse.row("commits", commit=broken)["authored_at"] is None
    assert len(warehouse.rows("authors", email_raw="a@x", name_raw="")) == 1


def test_a_signature_is_seen_and_not_run(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "a"})
    people = b"author A <a@x> 5 +0000\ncommitter A <a@x> 5 +0000\n"
    signature = b"gpgsig -----BEGIN SSH SIGNATURE-----\n U1NI\n -----END SSH SIGNATURE-----"
    signed = repository.raw_commit(people + signature, b"gpgsig -----BEGIN PGP SIGNATURE-----\n")
    repository.git("branch", "signed", signed)
    warehouse.load(str(repository.folder))
    assert warehouse.row("commits", commit=signed)["signature"] == "ssh"


def test_files_at_head_follow_the_tree(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a.py": "a", "b/x": "x", "c": "c"})
    warehouse.load(str(repository.folder))
    repository.commit("two", {"a.py": "aa", "c": None, "d.sql": "select 1"})
    came = warehouse.load(str(repository.folder))
    assert came["files"] == 2
    assert {row["path"]: row["size"] for row in warehouse.rows("files")} == {"a.py": 2, "b/x": 1, "d.sql": 8}
    repository.git("symbolic-ref", "HEAD", "refs/heads/none")
    warehouse.load(str(repository.folder))
    assert warehouse.rows("files") == []


def test_a_detached_head(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "a"})
    repository.git("checkout", "-q", "--detach")
    loose = repository.commit("on no branch", {"b": "b"})
    warehouse.load(str(repository.folder))
    row = warehouse.row("repositories")
    assert (row["default_branch"], row["head"]) == (None, loose)
    assert loose in warehouse.commits()
    assert warehouse.load(str(repository.folder)) == {}


# From run to run.


def test_only_what_is_new_is_read(repository: Repository, warehouse: Warehouse) -> None:
    for i in range(5):
        repository.commit(f"commit {i}", {"a": str(i)})
    assert warehouse.load(str(repository.folder))["commits"] == 5
    new = repository.commit("new", {"b": "b"})
    came = warehouse.load(str(repository.folder))
    assert (came["commits"], came["commit_files"], came["ref_updates"]) == (1, 1, 1)
    update = warehouse.row("ref_updates", kind="updated")
    assert update["new"] == new
    assert "tags" not in came


def test_nothing_new_yields_nothing_and_asks_once(
    server: Process, repository: Repository, warehouse: Warehouse
) -> None:
    repository.commit("one", {"a": "a"})
    publish(repository, server.log.parent.parent / "root")
    url = f"http://127.0.0.1:{server.port}/app.git"
    warehouse.load(url, **SIGN_IN)
    before, cursor = requests_to(server), warehouse.cursor
    shutil.rmtree(warehouse.folder / "state")
    assert warehouse.load(url, **SIGN_IN) == {}
    assert not (warehouse.folder / "state").exists()  # no mirror was needed
    assert warehouse.cursor == cursor
    assert requests_to(server) == before + 2  # capabilities and refs


@pytest.mark.parametrize("damage", ["missing", "no objects", "no HEAD", "half a pack", "stale locks"])
def test_a_damaged_mirror_is_rebuilt(repository: Repository, warehouse: Warehouse, damage: str) -> None:
    for i in range(30):
        repository.commit(f"commit {i}", {"a": f"{i}\n" * 50})
    url = str(repository.folder)
    warehouse.load(url)
    before = warehouse.commits()
    mirror = warehouse.folder / "state" / "app.git"
    packs = list((mirror / "objects" / "pack").glob("*.pack"))
    if damage == "missing":
        shutil.rmtree(mirror)
    elif damage == "no objects":
        shutil.rmtree(mirror / "objects" / "pack")
    elif damage == "no HEAD":
        (mirror / "HEAD").unlink()
    elif damage == "half a pack":
        packs[0].chmod(0o600)
        os.truncate(packs[0], packs[0].stat().st_size // 2)
    else:
        for name in ("shallow.lock", "packed-refs.lock", "refs/heads/main.lock"):
            (mirror / name).touch()
    new = repository.commit("after", {"b": "b"})
    warehouse.load(url)
    assert warehouse.commits() == before | {new}
    assert warehouse.row("ref_updates", kind="updated")["new"] == new
    assert len(warehouse.rows("commit_files")) == 31
    assert warehouse.load(url) == {}


def test_what_a_killed_run_fetched_is_not_lost(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "1"})
    warehouse.load(str(repository.folder))
    fetched = repository.commit("fetched by a run that is killed", {"a": "2"})
    killed = Warehouse(warehouse.folder, cursor=warehouse.cursor)
    killed.load(str(repository.folder))  # its cursor is never applied
    repository.git("reset", "-q", "--hard", "HEAD~1")
    new = repository.commit("rewritten meanwhile", {"a": "3"})
    warehouse.load(str(repository.folder))
    assert {fetched, new} <= warehouse.commits()
    repository.commit("next", {"a": "4"})
    assert warehouse.load(str(repository.folder))["commits"] == 1


def test_a_stream_that_is_selected_later_is_read_from_the_start(repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "1"})
    repository.commit("two", {"a": "2"})
    warehouse.load(str(repository.folder), streams=frozenset({"commits"}))
    assert set(warehouse.tables) == {"commits"}
    came = warehouse.load(str(repository.folder))
    assert (came["commit_files"], came["files"]) == (2, 1)


def test_a_repository_that_is_no_longer_declared(warehouse: Warehouse, tmp_path: Path) -> None:
    urls = []
    for name in ("first", "second"):
        made = new_repository(tmp_path / name)
        made.commit("one", {"a": "a"})
        urls.append(str(made.folder))
    warehouse.load(*urls)
    warehouse.load(urls[0])
    assert [row["repository"] for row in warehouse.rows("repositories")] == ["first"]
    assert {row["repository"] for row in warehouse.rows("commits")} == {"first", "second"}
    assert warehouse.load(*urls)["commits"] == 1


# Over HTTP and SSH, and what goes wrong there.


def test_http_with_password_fetches_incrementally(
    server: Process, repository: Repository, warehouse: Warehouse
) -> None:
    repository.commit("one", {"a": "a"})
    bare = publish(repository, server.log.parent.parent / "root")
    url = f"http://127.0.0.1:{server.port}/app.git"
    assert warehouse.load(url, **SIGN_IN)["commits"] == 1
    repository.commit("two", {"a": "b"})
    repository.git("push", "-q", str(bare), "main")
    assert warehouse.load(url, **SIGN_IN)["commits"] == 1
    assert warehouse.commits() == set(repository.lines("rev-list", "--all"))


def test_a_shallow_repository_over_http(server: Process, repository: Repository, warehouse: Warehouse) -> None:
    for i in range(4):
        repository.commit(f"commit {i}", {"a": str(i)})
    root = server.log.parent.parent / "root"
    git(root, "clone", "-q", "--bare", "--depth=2", repository.folder.as_uri(), "app.git")
    url = f"http://127.0.0.1:{server.port}/app.git"
    warehouse.load(url, **SIGN_IN)
    assert len(warehouse.commits()) == 2
    git(root / "app.git", "fetch", "-q", "--unshallow", "origin")
    warehouse.load(url, **SIGN_IN)
    assert len(warehouse.commits()) == 4


def test_a_wrong_password_is_sent_once(server: Process, repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "a"})
    root = server.log.parent.parent / "root"
    urls = [f"http://127.0.0.1:{server.port}/{publish(repository, root, name).name}" for name in ("a.git", "b.git")]
    with pytest.raises(Unauthenticated, match="HTTP 401") as caught:
        warehouse.load(*urls, username="alice", password={"env": "WRONG_PASSWORD"})
    assert requests_to(server) == 1
    assert "Zu8kqP" not in str(caught.value)
    assert "check username and password" in caught.value.next_step
    with pytest.raises(Unauthenticated, match="name username and password"):
        warehouse.load(*urls)


def test_no_such_repository(server: Process, warehouse: Warehouse, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="HTTP 404"):
        warehouse.load(f"http://127.0.0.1:{server.port}/none.git", **SIGN_IN)
    with pytest.raises(NotFound, match="no such folder"):
        warehouse.load(str(tmp_path / "none"))
    (tmp_path / "plain").mkdir()
    with pytest.raises(NotFound, match="no repository is there"):
        warehouse.load(str(tmp_path / "plain"))


def test_a_stopped_server_leaves_everything_as_it_was(
    repository: Repository, warehouse: Warehouse, tmp_path: Path
) -> None:
    repository.commit("one", {"a": "a"})
    (tmp_path / "root").mkdir()
    publish(repository, tmp_path / "root")
    port = free_port()
    url = f"http://127.0.0.1:{port}/app.git"
    with running(start_git_server(tmp_path / "server", tmp_path / "root", port)):
        warehouse.load(url)
    before, cursor = warehouse.commits(), warehouse.cursor
    with pytest.raises(Unavailable, match="no connection"):
        warehouse.load(url)
    assert (warehouse.commits(), warehouse.cursor) == (before, cursor)
    with running(start_git_server(tmp_path / "server", tmp_path / "root", port)):
        assert warehouse.load(url) == {}


def test_a_server_that_says_nothing_times_out(warehouse: Warehouse) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(TimedOut, match="no answer"):
            warehouse.load(f"http://127.0.0.1:{silent.getsockname()[1]}/app.git", timeout=1)


def test_the_password_is_nowhere(server: Process, repository: Repository, warehouse: Warehouse) -> None:
    repository.commit("one", {"a": "a"})
    publish(repository, server.log.parent.parent / "root")
    warehouse.load(f"http://127.0.0.1:{server.port}/app.git", **SIGN_IN)
    shutil.rmtree(warehouse.folder / "state" / "app.git" / "objects")
    with pytest.raises(NotFound) as caught:
        warehouse.load(f"http://127.0.0.1:{server.port}/none.git", **SIGN_IN)
    written = [path.read_bytes() for path in warehouse.folder.rglob("*") if path.is_file()]
    written += [str(caught.value).encode(), repr(warehouse.logged).encode(), repr(warehouse.tables).encode()]
    encoded = "YWxpY2U6cGxhbnRlZC"  # the start of the Basic header's base64
    assert written
    assert not [text for text in written if PASSWORD.encode() in text or encoded.encode() in text]
    assert stat.S_IMODE((warehouse.folder / "state").stat().st_mode) == 0o700


def test_ssh_through_a_substitute_that_runs_the_command_here(
    repository: Repository, warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No sshd runs here: the stand-in for ssh takes ssh's arguments and runs the command on this machine."""
    repository.commit("one", {"a": "a"})
    seen = tmp_path / "arguments"
    substitute = tmp_path / "ssh"
    substitute.write_text(f'#!/bin/sh\necho "$@" > {seen}\nfor last; do :; done\nexec sh -c "$last"\n')
    substitute.chmod(0o755)
    key = warehouse.folder / "id_ed25519"
    key.write_text("key")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(substitute))
    warehouse.load(f"git@forge.example:{repository.folder}", ssh_key_file="id_ed25519")
    assert warehouse.commits() == set(repository.lines("rev-list", "--all"))
    assert f"-i {key} " in seen.read_text()
    assert "BatchMode=yes" in seen.read_text()
    with pytest.raises(NotFound, match="ended with status"):
        warehouse.load("ssh://git@forge.example/none/app.git")
    substitute.write_text("#!/bin/sh\nexit 255\n")
    with pytest.raises(Unavailable, match="no connection"):
        warehouse.load(f"ssh://git@127.0.0.1:{free_port()}/app.git")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        with pytest.raises(Unauthenticated, match="could not sign in"):
            warehouse.load(f"ssh://git@127.0.0.1:{listening.getsockname()[1]}/app.git")


# The connection.


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c true",
        "ext::sh",
        "git://x/y",
        "fd::17",
        "-upload-pack=x",
        "https://u:p@h/x",
        "https://u@h/x",
        "https:///x",
        "",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Connection.model_validate({"repositories": [url]})
    assert "credentials" in str(caught.value) or ":p@" not in url


@pytest.mark.parametrize(
    ("url", "name", "scheme", "host", "port"),
    [
        ("https://host.example/group/app.git", "app", "https", "host.example", 443),
        ("http://127.0.0.1:8080/app/", "app", "http", "127.0.0.1", 8080),
        ("git@host.example:group/app.git", "app", "ssh", "host.example", 22),
        ("ssh://git@host.example:2222/~/app", "app", "ssh", "host.example", 2222),
        ("/srv/git/app/.git", "app", "file", "", 0),
        ("../über app.git", None, "file", "", 0),
        ("file:///srv/app.git", "app", "file", "", 0),
    ],
)
def test_addresses_that_are_read(url: str, name: str | None, scheme: str, host: str, port: int) -> None:
    if " " not in url:
        assert parts_of(url) == (scheme, host, port)
    assert repository_name(url) == (name or "ber-app")


def test_named_addresses_may_be_several(warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [new_repository(tmp_path / name).folder for name in ("x/app", "y/lib", "z/app")]
    monkeypatch.setenv("REPOSITORIES", f" {paths[0]}\n{paths[1]} ")
    warehouse.load({"env": "REPOSITORIES"}, {"name": "other-app", "url": str(paths[2])})
    assert {row["repository"] for row in warehouse.rows("repositories")} == {"app", "lib", "other-app"}
    with pytest.raises(NotConfigured, match="two are called app"):
        warehouse.load({"env": "REPOSITORIES"}, str(paths[2]))
    monkeypatch.setenv("REPOSITORIES", f"https://alice:{PASSWORD}@host.example/app")
    with pytest.raises(NotConfigured, match="credentials") as caught:
        warehouse.load({"env": "REPOSITORIES"})
    assert PASSWORD not in str(caught.value)
    with pytest.raises(NotConfigured, match="folder of this machine"):
        warehouse.load(str(paths[0]), allow_local_paths=False)


def test_setup_tests_show_what_works(server: Process, repository: Repository, tmp_path: Path) -> None:
    repository.commit("one", {"a": "a"})
    publish(repository, server.log.parent.parent / "root")
    sync = Sync("version_control", ALL, None, tmp_path, tmp_path / "state", START)

    def outcome(path: str, **options: object) -> dict[str, bool]:
        url = f"http://127.0.0.1:{server.port}/{path}"
        connection = Connection.model_validate({"repositories": [url], **options})
        return {test.name: test.ok for test in setup_tests(connection, sync)}

    well = outcome("app.git", **SIGN_IN)
    proven = ["reachable", "authenticated", "is a repository", "may read refs"]
    assert list(well) == ["git version", "configured", *(f"app: {name}" for name in proven)]
    assert all(well.values())
    wrong = outcome("app.git", username="alice", password={"env": "WRONG_PASSWORD"})
    assert (wrong["app: reachable"], wrong["app: authenticated"]) == (True, False)
    none = outcome("none.git", **SIGN_IN)
    assert list(none.items())[2:] == [("none: reachable", True), ("none: is a repository", False)]
    assert outcome("app.git", password={"env": "NO_SUCH_VARIABLE"})["configured"] is False


def test_setup_tests_of_a_folder_say_nothing_of_a_server(repository: Repository, tmp_path: Path) -> None:
    repository.commit("one", {"a": "a"})
    (tmp_path / "plain").mkdir()
    sync = Sync("version_control", ALL, None, tmp_path, tmp_path / "state", START)

    def outcome(folder: Path) -> list[tuple[str, bool]]:
        connection = Connection.model_validate({"repositories": [str(folder)]})
        return [(test.name, test.ok) for test in setup_tests(connection, sync)][2:]

    name = repository.folder.name
    assert outcome(repository.folder) == [(f"{name}: is a repository", True), (f"{name}: may read refs", True)]
    for folder in ("plain", "missing"):
        assert outcome(tmp_path / folder) == [(f"{folder}: is a repository", False)]


def test_a_web_page_is_no_repository(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    (tmp_path / "page" / "index.html").write_text("<html>")
    port = free_port()
    (tmp_path / "page" / "info").mkdir()
    (tmp_path / "page" / "info" / "refs").write_text("<html>")
    command = ["python3", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path / "page"), str(port)]
    from leat.demo.servers.process import start

    with running(start("page", command, tmp_path / "page-server", port)), pytest.raises(UnexpectedShape):
        warehouse.load(f"http://127.0.0.1:{port}/")


@contextmanager
def answering(status: int, headers: dict[str, str]) -> Iterator[tuple[int, list[str | None]]]:
    """Serve one answer to everything; yields the port and the credentials that came."""
    came: list[str | None] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            came.append(self.headers["Authorization"])
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as http:
        Thread(target=http.serve_forever, daemon=True).start()
        try:
            yield http.server_port, came
        finally:
            http.shutdown()


@pytest.mark.parametrize(
    ("status", "headers", "kind", "says"),
    [
        (403, {}, Forbidden, "right to read"),
        (410, {}, NotFound, "HTTP 410"),
        (418, {}, Rejected, "HTTP 418"),
        (429, {"Retry-After": "7"}, RateLimited, "HTTP 429"),
        (503, {}, Unavailable, "HTTP 503"),
        (200, {"Content-Type": "text/html"}, UnexpectedShape, "no git server"),
    ],
)
def test_http_statuses(
    warehouse: Warehouse, status: int, headers: dict[str, str], kind: type[IntegrationError], says: str
) -> None:
    with answering(status, headers) as (port, came), pytest.raises(kind, match=says) as caught:
        warehouse.load(f"http://127.0.0.1:{port}/app.git", **SIGN_IN)
    assert len(came) == (2 if status == 200 else 1)  # git looks twice for a repository made of plain files
    assert getattr(caught.value, "retry_after", 7) == 7


def test_a_redirect_is_reported_and_gets_no_credentials(warehouse: Warehouse) -> None:
    with answering(404, {}) as (elsewhere, stolen):
        moved = f"http://127.0.0.1:{elsewhere}/app.git"
        target = {"Location": f"{moved}/info/refs?service=git-upload-pack"}
        with answering(301, target) as (port, came), pytest.raises(Rejected, match=f"moved to {moved}"):
            warehouse.load(f"http://127.0.0.1:{port}/app.git", **SIGN_IN)
    assert (len(came), stolen) == (1, [])


# The demo's repositories.


def test_the_seed_changes_nothing_the_second_time(warehouse: Warehouse, repository: Repository, tmp_path: Path) -> None:
    repository.commit("own history", {"a": "a"})
    shallow = tmp_path / "checkout"
    git(tmp_path, "clone", "-q", "--depth=1", repository.folder.as_uri(), str(shallow))
    root = tmp_path / "root"
    now = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)

    def tips() -> list[str]:
        folders = seed_repositories(root, now, shallow)
        return [git(folder, "for-each-ref") for folder in folders]

    assert tips() == tips()
    again = seed_repositories(tmp_path / "again", now)
    assert git(again[0], "for-each-ref") == git(root / "shop.git", "for-each-ref")
    warehouse.load(str(root / "shop.git"))
    people = {row["email"] for row in warehouse.rows("authors")}
    assert len(people) == 6
    assert {MALLORY.email, GUS.email} <= people
    times = [row["committed_at"] for row in warehouse.rows("commits")]
    assert 65 <= (now - min(times)).days <= 71
    assert max(times) <= now
    assert {row["name"]: row["merged"] for row in warehouse.rows("refs", kind="branch")} == {
        "main": True,
        "feature/checkout": True,
        "feature/search": False,
        "spike/old-theme": False,
    }
