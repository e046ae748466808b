"""Branches, tags, merges and reverts are pushed once, to a folder and over HTTP, and a person's push stays."""

from __future__ import annotations

import json
import secrets
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

import pytest

from leat.actions.office import Office, UnknownAction, read_parameters
from leat.actions.propose import order_of
from leat.control.outbox import ActionRow
from leat.demo.seed.git_history import git
from leat.demo.servers.git_server import application, start_git_server
from leat.demo.servers.process import running
from leat.sources.actions import Change, Receipt, Refused
from leat.sources.errors import Outdated, Unavailable
from leat.sources.version_control.git.actions import ACTIONS
from tests.kit.acted import delivered, done, everything_stored, office_of, planned, undone
from tests.kit.offices import desk_of
from tests.kit.once import POINTS, Killing
from tests.kit.proxy import proxy
from tests.sources.git_repositories import Repository, new_repository

USER, PASSWORD = "robot", "planted-secret-77310"


@dataclass
class Site:
    """A bare repository, a clone in which a person works, and what leat is given as address."""

    bare: Path
    person: Repository
    url: str

    def refs(self) -> dict[str, str]:
        lines = git(self.bare, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ") for line in lines)

    def at(self, branch: str) -> str | None:
        return self.refs().get(f"refs/heads/{branch}")

    def commit(self, branch: str, files: dict[str, str | None], message: str = "change") -> str:
        """Commit in the clone, push, and return the commit."""
        self.person.git("fetch", "-q", "--prune", "origin")
        there = f"origin/{branch}" in self.person.git("branch", "-r")
        self.person.git("checkout", "-q", "-B", branch, f"origin/{branch}" if there else "origin/main")
        commit = self.person.commit(message, files)
        self.person.git("push", "-q", "origin", branch)
        return commit

    def pushes(self, ref: str) -> int:
        """Return how often a ref has moved, according to the server."""
        log = self.bare / "logs" / ref
        return len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    root = tmp_path_factory.mktemp("served")
    folder = tmp_path_factory.mktemp("git-server")
    with running(start_git_server(folder, root, user=USER, password=PASSWORD)) as process:
        yield root, f"http://127.0.0.1:{process.port}"


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Make a bare repository and a clone that tests copy."""
    folder = tmp_path_factory.mktemp("begun")
    bare = folder / "bare"
    bare.mkdir()
    git(bare, "init", "-q", "--bare", "-b", "main")
    git(bare, "config", "core.logAllRefUpdates", "always")
    person = new_repository(folder / "person")
    person.git("remote", "add", "origin", str(bare))
    person.commit("begin", {"a.txt": "1\n2\n3\n4\n5\n", "b.txt": "b\n"})
    person.git("push", "-q", "origin", "main")
    site = Site(bare, person, "")
    site.commit("topic", {"new.txt": "new\n"}, "add new")
    return site


@pytest.fixture(params=["file", "http"])
def site(request: pytest.FixtureRequest, tmp_path: Path, served: tuple[Path, str], begun: Site) -> Site:
    root, url = served
    name = f"{secrets.token_hex(4)}.git"
    bare = (root if request.param == "http" else tmp_path) / name
    shutil.copytree(begun.bare, bare)
    person = Repository(shutil.copytree(begun.person.folder, tmp_path / "person"))
    person.git("remote", "set-url", "origin", str(bare))
    return Site(bare, person, f"{url}/{name}" if request.param == "http" else str(bare))


@pytest.fixture
def office(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("GIT_TEST_PASSWORD", PASSWORD)
    with office_of(tmp_path / "project", "version_control", "git", _connection(site)) as office:
        yield office


def _connection(site: Site, name: str = "app") -> dict[str, Any]:
    named = {"repositories": [{"name": name, "url": site.url}]}
    return {**named, "username": USER, "password": {"env": "GIT_TEST_PASSWORD"}}


def sent(office: Office, row: ActionRow) -> Receipt:
    with office.connected("version_control") as system:
        return ACTIONS[row.verb].send(system, _order(office, row))


def probed(office: Office, row: ActionRow) -> Receipt | None:
    probe = ACTIONS[row.verb].probe
    assert probe is not None
    with office.connected("version_control") as system:
        return probe(system, _order(office, row))


def confirmed(office: Office, row: ActionRow) -> tuple[Change, ...]:
    with office.connected("version_control") as system:
        return ACTIONS[row.verb].confirm(system, _order(office, row), Receipt({}))


def _order(office: Office, row: ActionRow) -> Any:
    return order_of(office.store, office.verb("version_control", row.verb)[0], row)


@pytest.mark.parametrize("site", ["http"], indirect=True)
def test_a_sender_is_killed_and_each_ref_moves_once(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_PASSWORD", PASSWORD)
    host, _, path = site.url.removeprefix("http://").partition("/")
    for point in POINTS:
        site.commit(f"topic-{point}", {f"{point}.txt": point})
        site.commit(f"into-{point}", {"into.txt": point})
    with proxy(int(host.rpartition(":")[2])) as front:
        connection = _connection(Site(site.bare, site.person, f"http://127.0.0.1:{front.port}/{path}"))
        declared = {"source": "version_control", "driver": "git", "connection": connection}
        with desk_of(tmp_path / "killed", "version_control", declared) as desk:
            killing = Killing(desk, front, rb"POST \S+/git-receive-pack", {"GIT_TEST_PASSWORD": PASSWORD})
            for point in POINTS:
                killing.at(point, desk.plan("create_branch", name=f"new-{point}"))
                killing.at(point, desk.plan("merge", branch=f"topic-{point}", into=f"into-{point}"))
            rows = killing.finish()
    assert [(row.state, row.reason) for row in rows] == [("confirmed", None)] * len(rows)
    assert [site.pushes(f"refs/heads/new-{point}") for point in POINTS] == [1] * len(POINTS)
    assert [site.pushes(f"refs/heads/into-{point}") for point in POINTS] == [2] * len(POINTS)


def wishes(site: Site) -> dict[str, dict[str, Any]]:
    """Return parameters with which each verb does something."""
    topic = site.at("topic") or ""
    site.person.git("tag", "-a", "v1", "-m", "first", "main")
    site.person.git("push", "-q", "origin", "v1")
    return {
        "create_branch": {"name": "feature/x"},
        "delete_branch": {"name": "topic"},
        "rename_branch": {"name": "topic", "to": "feature/y"},
        "restore_branch": {"name": "again", "commit": topic},
        "create_tag": {"name": "v2", "at": "topic", "message": "second"},
        "delete_tag": {"name": "v1"},
        "merge": {"branch": "topic", "into": "main"},
        "revert": {"branch": "topic", "commit": topic},
    }


@pytest.mark.parametrize("verb", ACTIONS)
def test_each_verb_is_done_once_recognised_and_undone(office: Office, site: Site, verb: str) -> None:
    wish = wishes(site)[verb]
    before = site.refs()
    row = planned(office, verb, **wish)
    assert (site.refs(), probed(office, row)) == (before, None), "a plan changes nothing"
    assert confirmed(office, row) != ()
    receipt = sent(office, row)
    after = site.refs()
    assert after != before
    assert {ref: oid for ref, oid in after.items() if before.get(ref) != oid} == {
        ref: oid for ref, oid in receipt.data["refs"].items() if oid
    }
    assert (probed(office, row), confirmed(office, row)) == (receipt, ())
    assert sent(office, row) == receipt, "what is there already isn't pushed"
    [row] = delivered(office, row)
    assert (row.state, site.refs()) == ("confirmed", after)
    undone(office, row)
    if verb in ("merge", "revert"):
        name = wish.get("into") or wish["branch"]
        assert site.at(name) not in (before[f"refs/heads/{name}"], after[f"refs/heads/{name}"])
        assert _tree(site, name) == git(site.bare, "rev-parse", f"{before[f'refs/heads/{name}']}^{{tree}}")
    else:
        assert site.refs() == before, "and an annotated tag is the same object again"


def _tree(site: Site, branch: str) -> str:
    return git(site.bare, "rev-parse", f"refs/heads/{branch}^{{tree}}")


@pytest.mark.parametrize("verb", ["delete_branch", "rename_branch", "merge", "revert"])
def test_what_a_person_pushes_meanwhile_stays(office: Office, site: Site, verb: str) -> None:
    row = planned(office, verb, **wishes(site)[verb])
    branch = "main" if verb == "merge" else "topic"
    pushed = site.commit(branch, {"b.txt": "a person's\n"})
    [row] = delivered(office, row)
    assert (row.state, site.at(branch)) == ("failed", pushed)
    assert "somebody has changed it meanwhile" in str(row.reason)
    assert "plan it again" in str(row.reason)


@pytest.mark.parametrize("verb", ["create_branch", "restore_branch", "create_tag", "rename_branch"])
def test_a_name_that_a_person_takes_meanwhile_stays_theirs(office: Office, site: Site, verb: str) -> None:
    wish = wishes(site)[verb]
    row = planned(office, verb, **wish)
    ref = f"refs/{'tags' if verb == 'create_tag' else 'heads'}/{wish.get('to') or wish['name']}"
    theirs = site.person.commit("a person's")
    site.person.git("push", "-q", "origin", f"{theirs}:{ref}")
    before = site.refs()
    [row] = delivered(office, row)
    assert (row.state, site.refs()) == ("failed", before), "a renaming is all or nothing"


def test_the_plan_of_a_merge_shows_the_commit_that_is_pushed(office: Office, site: Site) -> None:
    site.commit("main", {"b.txt": "other\n"})
    row = planned(office, "merge", branch="topic", into="main", author="Ann Lee <ann@demo.example>")
    shown = {what: after for what, _, after in row.plan["changes"]}
    assert row.title == "app: merge topic into main (1 commit)"
    assert shown["files"] == ["A new.txt"]
    assert row.plan["people"] == ["alice.martin@demo.example"]
    shutil.rmtree(
        office.project.state / "sources" / "version_control.actions"
    )  # what was computed is lost, and made again
    [row] = delivered(office, row)
    assert (row.state, site.at("main")) == ("confirmed", shown["branch main"])
    said = git(site.bare, "show", "-s", "--format=%an <%ae> %B", "main")
    assert said.startswith("Ann Lee <ann@demo.example> Merge branch 'topic' into main")
    assert f"Leat-Action: {row.id}" in said
    assert git(site.bare, "show", "main:b.txt") == "other"
    with pytest.raises(Refused, match="topic is already merged into main"):
        planned(office, "merge", branch="topic", into="main")


def test_a_merge_under_later_commits_is_still_there(office: Office, site: Site) -> None:
    row = planned(office, "merge", branch="topic", into="main")
    sent(office, row)
    site.commit("main", {"b.txt": "later\n"})
    before = site.refs()
    [row] = delivered(office, row)
    assert (row.state, site.refs()) == ("confirmed", before)
    inverse = undone(office, row)
    assert inverse.verb == "revert"
    assert git(site.bare, "ls-tree", "--name-only", "main").split() == ["a.txt", "b.txt"]
    assert git(site.bare, "show", "main:b.txt") == "later"


def test_conflicts_are_shown_and_nothing_is_planned(office: Office, site: Site) -> None:
    site.commit("topic", {"a.txt": "1\n2\nleft\n4\n5\n"})
    first = site.commit("main", {"a.txt": "1\n2\nright\n4\n5\n"})
    site.commit("main", {"a.txt": "1\n2\nlater\n4\n5\n"})
    with pytest.raises(Refused, match=r"topic and main conflict in a\.txt; resolve it in a work tree"):
        planned(office, "merge", branch="topic", into="main")
    with pytest.raises(Refused, match=r"later commits in main have changed the same lines in a\.txt"):
        planned(office, "revert", branch="main", commit=first)


def test_a_revert_takes_back_one_commit_and_no_later_one(office: Office, site: Site) -> None:
    first = site.commit("main", {"a.txt": "0\n2\n3\n4\n5\n", "c.txt": "c\n"}, 'say "0"')
    site.commit("main", {"b.txt": "later\n"})
    row = done(office, "revert", branch="main", commit=first)
    assert row.title == f'app: revert {first[:10]} in main: say "0"'
    assert git(site.bare, "ls-tree", "--name-only", "main").split() == ["a.txt", "b.txt"]
    assert git(site.bare, "show", "main:b.txt") == "later"
    assert f"This reverts commit {first}." in git(site.bare, "show", "-s", "--format=%B", "main")
    with pytest.raises(Refused, match="already taken back"):
        planned(office, "revert", branch="main", commit=first)
    merged = done(office, "merge", branch="topic", into="main").plan["payload"]["updates"][0][2]
    with pytest.raises(Refused, match=r"parent: .* is a merge"):
        planned(office, "revert", branch="main", commit=merged)
    with pytest.raises(Refused, match=r"parent: .* has 2"):
        planned(office, "revert", branch="main", commit=merged, parent=3)
    with pytest.raises(Refused, match=r"commit: .* isn't in topic"):
        planned(office, "revert", branch="topic", commit=merged)


def test_the_first_commit_of_all_can_be_reverted(office: Office, site: Site) -> None:
    [root] = git(site.bare, "rev-list", "--max-parents=0", "main").split()
    done(office, "revert", branch="topic", commit=root)
    assert git(site.bare, "ls-tree", "--name-only", "topic") == "new.txt"


def test_a_deleted_branch_comes_back_although_the_server_forgot_its_commits(office: Office, site: Site) -> None:
    topic = site.at("topic")
    row = planned(office, "delete_branch", name="topic")
    assert row.plan["warnings"] == ["1 commit is in no other branch and in no tag"]
    assert row.plan["people"] == ["alice.martin@demo.example"]
    [row] = delivered(office, row)
    git(site.bare, "reflog", "expire", "--expire=now", "--all")
    git(site.bare, "gc", "-q", "--prune=now")
    undone(office, row)
    assert (site.at("topic"), git(site.bare, "show", "topic:new.txt")) == (topic, "new")


def test_what_can_not_be_done_is_refused_with_a_reason(office: Office, site: Site) -> None:
    main = site.at("main") or ""
    wishes(site)
    for verb, parameters, why in (
        ("create_branch", {"name": "topic"}, "name: branch topic exists already"),
        ("create_branch", {"name": "topic/x"}, "git can't have branch topic/x next to branch topic"),
        ("create_branch", {"name": "x", "at": "nowhere"}, "at: app has no branch, tag or object nowhere"),
        ("create_branch", {"name": "x", "at": "0" * 40}, "at: app has no branch, tag or object 0000"),
        ("restore_branch", {"name": "x", "commit": "1" * 40}, "commit: app has no commit 1111"),
        ("delete_branch", {"name": "main"}, "name: main is the default branch"),
        ("rename_branch", {"name": "main", "to": "trunk"}, "name: main is the default branch"),
        ("delete_branch", {"name": "nothing"}, "name: app has no branch nothing"),
        ("delete_branch", {"name": "topic", "commit": main}, "somebody has pushed to topic since"),
        ("rename_branch", {"name": "topic", "to": "main"}, "to: branch main exists already"),
        ("create_tag", {"name": "v1"}, "name: tag v1 exists already"),
        ("delete_tag", {"name": "v9"}, "name: app has no tag v9"),
        ("delete_tag", {"name": "v1", "object": main}, "somebody has moved tag v1 since"),
        ("merge", {"branch": "main", "into": "topic"}, "main is already merged into topic"),
        ("merge", {"branch": "main", "into": "nothing"}, "into: app has no branch nothing"),
        ("create_branch", {"name": "x", "repository": "other"}, "repository: there is no other: app"),
    ):
        with pytest.raises(Refused, match=why):
            planned(office, verb, **parameters)


@pytest.mark.parametrize(
    ("verb", "parameters", "message"),
    [
        ("create_branch", {"name": "refs/heads/x"}, "name: write the name alone"),
        ("create_branch", {"name": "a b"}, "name: git has no such names"),
        ("create_branch", {"name": "a..b"}, "name: "),
        ("create_branch", {"name": "-x"}, "name: "),
        ("create_branch", {"name": "a.lock"}, "name: "),
        ("create_branch", {"name": "a/.b"}, "name: "),
        ("create_branch", {"name": "x:y"}, "name: "),
        ("create_branch", {"name": ""}, "name: "),
        ("create_branch", {"name": "@"}, "name: "),
        ("create_branch", {"nmae": "x"}, 'nmae: no such parameter; did you mean "name"'),
        ("restore_branch", {"name": "x", "commit": "abc"}, "commit: write the whole name"),
        ("merge", {"branch": "x"}, "into: is missing"),
        ("merge", {"branch": "x", "into": "y", "author": "ann"}, "author: write a name and an address"),
        ("merge", {"branch": "x", "into": "y", "author": "a\nb <x@y>"}, "author: "),
        ("revert", {"branch": "x", "commit": "0" * 40, "parent": 0}, "parent: "),
    ],
)
def test_bad_parameters_are_named(office: Office, verb: str, parameters: dict[str, Any], message: str) -> None:
    declared, _ = office.verb("version_control", verb)
    with pytest.raises(UnknownAction, match=message):
        read_parameters(declared, f"version_control.{verb}", parameters)


def test_a_server_that_refuses_says_why(office: Office, site: Site) -> None:
    hook = site.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not now >&2\nexit 1\n")
    hook.chmod(0o755)
    row = planned(office, "rename_branch", name="topic", to="other")
    before = site.refs()
    [row] = delivered(office, row)
    assert (row.state, site.refs()) == ("failed", before)
    assert "the server refuses: [remote rejected] (pre-receive hook declined)" in str(row.reason)
    assert "protection rules" in str(row.reason)


def test_an_account_that_may_not_push_gets_a_clear_error(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_PASSWORD", PASSWORD)
    backend = application(site.bare.parent, None, None)

    def read_only(environ: dict[str, Any], start_response: Any) -> Any:
        if "git-receive-pack" in environ["PATH_INFO"] + environ["QUERY_STRING"]:
            start_response("403 Forbidden", [])
            return [b""]
        return backend(environ, start_response)

    with make_server("127.0.0.1", 0, read_only) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        limited = Site(site.bare, site.person, f"http://127.0.0.1:{server.server_port}/{site.bare.name}")
        with office_of(tmp_path / "limited", "version_control", "git", _connection(limited)) as office:
            [row] = delivered(office, planned(office, "delete_branch", name="topic"))
        server.shutdown()
        thread.join()
    assert row.state == "failed"
    assert "HTTP 403. Next: grant the account the right to push to this repository" in str(row.reason)
    assert site.at("topic")


def test_no_secret_is_stored_and_a_wrong_one_is_said(
    office: Office, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [planned(office, "create_branch", name=name) for name in ("x", "y")]
    delivered(office, rows[0])
    if site.url.startswith("http"):
        monkeypatch.setenv("GIT_TEST_PASSWORD", "planted-wrong-secret")
        [failed] = delivered(office, rows[1])
        assert failed.state == "failed"
        assert "check username and password" in str(failed.reason)
    assert PASSWORD not in json.dumps([row.plan for row in rows])
    stored = everything_stored(tmp_path / "project")
    assert PASSWORD.encode() not in stored
    assert b"planted-wrong-secret" not in stored


def test_an_action_on_a_repository_that_is_declared_no_more_fails_with_the_reason(
    office: Office, site: Site, tmp_path: Path
) -> None:
    row = planned(office, "create_branch", name="x")
    with office_of(tmp_path / "project", "version_control", "git", _connection(site, "renamed")) as now:
        [row] = delivered(now, row)
    assert (row.state, row.reason, row.attempts) == ("failed", "repository: there is no app: renamed", 1)


def test_actions_sign_in_with_a_password_of_their_own(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_PASSWORD", "planted-wrong-secret")
    monkeypatch.setenv("GIT_ACTION_PASSWORD", PASSWORD)
    own = {"action_username": USER, "action_password": {"env": "GIT_ACTION_PASSWORD"}}
    with office_of(tmp_path / "own", "version_control", "git", _connection(site) | own) as office:
        done(office, "create_branch", name="x")
    assert site.at("x")


def test_a_repository_that_is_away_has_changed_nothing(office: Office, site: Site, tmp_path: Path) -> None:
    row = planned(office, "create_branch", name="x")
    if site.url.startswith("http"):
        away = Site(site.bare, site.person, "http://127.0.0.1:1/app.git")
        elsewhere = office_of(tmp_path / "elsewhere", "version_control", "git", _connection(away))
        with elsewhere as other, pytest.raises(Unavailable, match="no connection to"):
            planned(other, "create_branch", name="x")
        path = office.declarations["version_control"].path
        path.write_text(path.read_text().replace(site.url, away.url))
        with office_of(tmp_path / "project", "version_control", "git", _connection(away)) as now:
            [row] = delivered(now, row, patience=0)
        assert (row.state, site.at("x")) == ("approved", None)
        assert "no connection to" in str(row.reason)
        return
    site.bare.rename(site.bare.with_name("away.git"))
    [row] = delivered(office, row)
    assert row.state == "failed"
    assert "there is no such folder" in str(row.reason)


def test_two_pushes_at_once_one_wins(office: Office, site: Site) -> None:
    rows = [planned(office, "merge", branch="topic", into="main", message=text) for text in ("one", "two")]
    rows = delivered(office, *rows)
    assert sorted(row.state for row in rows) == ["confirmed", "failed"]
    assert site.pushes("refs/heads/main") == 2
    with pytest.raises(Outdated):
        sent(office, next(row for row in rows if row.state == "failed"))
