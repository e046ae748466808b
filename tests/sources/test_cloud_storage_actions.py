"""Objects are put, copied, moved, deleted and restored once, on SeaweedFS and on moto, and a person's change stays."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from leat.actions.office import Office, UnknownAction, read_parameters
from leat.actions.propose import order_of
from leat.control.outbox import ActionRow
from leat.demo.servers.process import running
from leat.demo.servers.seaweedfs import start_seaweedfs
from leat.sources.actions import Change, Order, Receipt, Refused
from leat.sources.cloud_storage.s3.actions import ACTIONS
from leat.sources.errors import Forbidden, NotConfigured, NotFound, Outdated, Unauthenticated
from tests.kit.acted import delivered, done, everything_stored, office_of, planned, undone
from tests.kit.offices import desk_of
from tests.kit.once import POINTS, Killing
from tests.kit.proxy import proxy
from tests.sources.storage_server import KEY, PLAIN, SECRET, VERSIONED, Server, storage_server

READ_ONLY, READ_ONLY_SECRET = "AKIAREADER", "planted-secret-99921"


@pytest.fixture(scope="module", params=["seaweedfs", "moto"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with storage_server(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture
def office(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("S3_TEST_SECRET", SECRET)
    with office_of(tmp_path, "cloud_storage", "s3", connected(server.url)) as office:
        yield office


def connected(url: str) -> dict[str, Any]:
    return {"url": url, "access_key": KEY, "secret_key": {"env": "S3_TEST_SECRET"}}


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Return a key of its own for each test, with what has to be quoted."""
    return f"a b+ü/{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}.txt"


def order(office: Office, row: ActionRow) -> Order:
    return order_of(office.store, office.verb("cloud_storage", row.verb)[0], row)


def sent(office: Office, row: ActionRow) -> Receipt:
    with office.connected("cloud_storage") as system:
        return ACTIONS[row.verb].send(system, order(office, row))


def probed(office: Office, row: ActionRow) -> Receipt | None:
    probe = ACTIONS[row.verb].probe
    assert probe is not None
    with office.connected("cloud_storage") as system:
        return probe(system, order(office, row))


def confirmed(office: Office, row: ActionRow, receipt: Receipt) -> tuple[Change, ...]:
    with office.connected("cloud_storage") as system:
        return ACTIONS[row.verb].confirm(system, order(office, row), receipt)


@pytest.mark.parametrize("bucket", [VERSIONED, PLAIN])
def test_a_new_object_is_put_once_and_deleted_again(office: Office, server: Server, key: str, bucket: str) -> None:
    row = planned(office, "put", bucket=bucket, key=key, text="one")
    assert row.title == f"write {bucket}/{key} (3 bytes)"
    assert row.plan["changes"][0][1] is None
    assert (server.text(bucket, key), probed(office, row)) == (None, None)
    receipt = sent(office, row)
    assert server.text(bucket, key) == "one"
    assert probed(office, row) == receipt or server.kind == "seaweedfs"
    assert confirmed(office, row, receipt) == ()
    with pytest.raises(Outdated):
        sent(office, row)
    [row] = delivered(office, row)
    assert row.state == "confirmed", "the second one is refused, and the effect is there"
    assert bucket == PLAIN or server.versions(key) == 1
    inverse = undone(office, row)
    assert (inverse.verb, server.text(bucket, key)) == ("delete", None)


def test_put_sends_media_type_mark_and_the_bytes_of_each_kind(office: Office, server: Server, key: str) -> None:
    (office.project.folder / "letters").mkdir()
    (office.project.folder / "letters" / "a.bin").write_bytes(b"\x00\xff")
    row = done(office, "put", bucket=PLAIN, key=key, file="letters/a.bin", content_type="application/x-thing")
    head = server.s3.head_object(Bucket=PLAIN, Key=key)
    assert (head["ContentType"], head["ContentLength"]) == ("application/x-thing", 2)
    assert head["Metadata"] == {"leat-action": row.id}
    done(office, "put", bucket=PLAIN, key=f"{key}.pdf", body=base64.b64encode(b"%PDF").decode())
    assert server.s3.head_object(Bucket=PLAIN, Key=f"{key}.pdf")["ContentType"] == "application/pdf"
    with pytest.raises(Refused, match="already has this content"):
        planned(office, "put", bucket=PLAIN, key=key, file="letters/a.bin", replace=True)


def test_put_reads_only_visible_files_of_the_project(office: Office, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / ".env").write_text("SECRET=1")
    for name in ("/etc/passwd", "../x", "link", ".env", ".leat/control.db", "pipelines/../.env"):
        with pytest.raises(Refused, match=r"file: .* isn't a visible file"):
            planned(office, "put", bucket=PLAIN, key="x", file=name)
    with pytest.raises(Refused, match=r"file: no.txt can't be read: No such file"):
        planned(office, "put", bucket=PLAIN, key="x", file="no.txt")


def test_an_object_is_replaced_only_on_request_and_comes_back(office: Office, server: Server, key: str) -> None:
    server.write(VERSIONED, key, "one", ContentType="text/x-old", Metadata={"of": "ann"})
    with pytest.raises(Refused, match="exists already; replace=true"):
        planned(office, "put", bucket=VERSIONED, key=key, text="two")
    row = done(office, "put", bucket=VERSIONED, key=key, text="two", replace=True)
    assert (server.text(VERSIONED, key), server.versions(key)) == ("two", 2)
    assert undone(office, row).verb == "restore_version"
    head = server.s3.head_object(Bucket=VERSIONED, Key=key)
    assert (server.text(VERSIONED, key), head["ContentType"], head["Metadata"]["of"]) == ("one", "text/x-old", "ann")


def test_what_was_replaced_without_versions_does_not_come_back(office: Office, server: Server, key: str) -> None:
    server.write(PLAIN, key, "one")
    row = planned(office, "put", bucket=PLAIN, key=key, text="two", replace=True)
    assert row.plan["warnings"] == ["the bucket has no versioning: what is there now is lost"]
    [row] = delivered(office, row)
    with pytest.raises(Refused, match="there is no version"):
        undone(office, row)
    assert server.text(PLAIN, key) == "two"


@pytest.mark.parametrize("before", [None, "old"])
def test_what_a_person_writes_meanwhile_stays(office: Office, server: Server, key: str, before: str | None) -> None:
    if before is not None:
        server.write(PLAIN, key, before)
    server.write(PLAIN, "source", "content")
    rows = [
        planned(office, "put", bucket=PLAIN, key=key, text="leat's", replace=True),
        planned(office, "copy", bucket=PLAIN, key="source", to_key=key, replace=True),
        planned(office, "move", bucket=PLAIN, key="source", to_key=key, replace=True),
    ]
    if before is not None:
        rows.append(planned(office, "delete", bucket=PLAIN, key=key))
    server.write(PLAIN, key, "a person's")
    rows = delivered(office, *rows)
    assert {row.state for row in rows} == {"failed"}
    assert all("somebody has changed" in str(row.reason) for row in rows)
    assert (server.text(PLAIN, key), server.text(PLAIN, "source")) == ("a person's", "content")


def test_the_server_judges_the_condition_too(office: Office, server: Server, key: str) -> None:
    """What comes between the look and the write is refused by the server; moto ignores the conditions of a copy."""
    from leat.sources.cloud_storage.s3.actions import objects

    server.write(VERSIONED, key, "a person's")
    with office.connected("cloud_storage") as system:
        bucket = system.bucket(VERSIONED)
        there = objects.look_at(bucket, key)
        assert there is not None
        stale = objects.Object("0" * 32, 1, None, {})
        writes = [
            lambda: objects.write(bucket, key, b"x", {}, None),
            lambda: objects.write(bucket, key, b"x", {}, "0" * 32),
            lambda: objects.remove(bucket, key, "0" * 32),
        ]
        copies = [
            lambda: objects.copy(bucket, key, there, bucket, key, "id", None),
            lambda: objects.copy(bucket, key, there, bucket, key, "id", "0" * 32),
            lambda: objects.copy(bucket, key, stale, bucket, f"{key}.new", "id", None),
        ]
        for attempt in writes if server.kind == "moto" else writes + copies:
            with pytest.raises(Outdated):
                attempt()
    assert (server.versions(key), server.versions(f"{key}.new"), server.markers(key)) == (1, 0, 0)


@pytest.mark.parametrize("bucket", [VERSIONED, PLAIN])
def test_of_many_that_write_at_once_one_wins(office: Office, server: Server, key: str, bucket: str) -> None:
    rows = [planned(office, "put", bucket=bucket, key=key, text=f"number {number}") for number in range(8)]
    rows = delivered(office, *rows)  # four at a time
    won = [row for row in rows if row.state == "confirmed"]
    assert (len(won), {row.state for row in rows}) == (1, {"confirmed", "failed"})
    assert server.s3.head_object(Bucket=bucket, Key=key)["Metadata"] == {"leat-action": won[0].id}
    assert bucket == PLAIN or server.versions(key) == 1


@pytest.mark.parametrize("to_bucket", [VERSIONED, PLAIN])
def test_an_object_is_copied_with_its_metadata(office: Office, server: Server, key: str, to_bucket: str) -> None:
    server.write(VERSIONED, key, "one", ContentType="text/x-a", Metadata={"of": "ann"}, CacheControl="no-store")
    row = done(office, "copy", bucket=VERSIONED, key=key, to_bucket=to_bucket, to_key=f"{key}.copy")
    head = server.s3.head_object(Bucket=to_bucket, Key=f"{key}.copy")
    assert (head["ContentType"], head["CacheControl"]) == ("text/x-a", "no-store")
    assert head["Metadata"] == {"of": "ann", "leat-action": row.id}
    with pytest.raises(Outdated):
        sent(office, row)
    undone(office, row)
    assert (server.text(VERSIONED, key), server.text(to_bucket, f"{key}.copy")) == ("one", None)


def test_a_source_that_changed_is_not_copied(office: Office, server: Server, key: str) -> None:
    server.write(PLAIN, key, "one")
    row = planned(office, "copy", bucket=PLAIN, key=key, to_key=f"{key}.copy")
    server.write(PLAIN, key, "two")
    [row] = delivered(office, row)
    assert (row.state, server.text(PLAIN, f"{key}.copy")) == ("failed", None)


def test_a_move_goes_on_where_it_was_interrupted_and_comes_back(office: Office, server: Server, key: str) -> None:
    new = f"{key}.moved"
    server.write(VERSIONED, key, "one")
    row = planned(office, "move", bucket=VERSIONED, key=key, to_key=new)
    with office.connected("cloud_storage") as system:
        ACTIONS["copy"].send(system, order(office, row))  # and then it was killed
    assert (server.text(VERSIONED, key), server.text(VERSIONED, new), probed(office, row)) == ("one", "one", None)
    receipt = sent(office, row)
    assert (server.text(VERSIONED, key), server.versions(new)) == (None, 1)
    assert sent(office, row).data["etag"] == receipt.data["etag"]
    assert (server.versions(new), server.markers(key)) == (1, 1)
    [row] = delivered(office, row)
    assert row.state == "confirmed"
    assert undone(office, row).verb == "move"
    assert (server.text(VERSIONED, key), server.text(VERSIONED, new)) == ("one", None)


def test_a_move_never_deletes_what_changed_since_it_was_copied(office: Office, server: Server, key: str) -> None:
    server.write(PLAIN, key, "one")
    row = planned(office, "move", bucket=PLAIN, key=key, to_key=f"{key}.moved")
    with office.connected("cloud_storage") as system:
        ACTIONS["copy"].send(system, order(office, row))
    server.write(PLAIN, key, "a person's")
    [row] = delivered(office, row)
    assert row.state == "failed"
    assert "so it stays" in str(row.reason)
    assert server.text(PLAIN, key) == "a person's"


def test_a_deleted_object_comes_back_where_there_are_versions(office: Office, server: Server, key: str) -> None:
    server.write(VERSIONED, key, "one")
    row = planned(office, "delete", bucket=VERSIONED, key=key)
    assert row.plan["warnings"] == []
    sent(office, row)
    assert (server.text(VERSIONED, key), server.markers(key)) == (None, 1)
    with pytest.raises(Outdated):
        sent(office, row)
    [row] = delivered(office, row)
    assert (row.state, server.markers(key)) == ("confirmed", 1)
    with pytest.raises(Refused, match="already gone"):
        planned(office, "delete", bucket=VERSIONED, key=key)
    again = undone(office, row)
    assert server.text(VERSIONED, key) == "one"
    assert undone(office, again).verb == "delete"
    assert server.text(VERSIONED, key) is None


def test_a_deletion_without_versions_is_for_good_and_says_so(office: Office, server: Server, key: str) -> None:
    server.write(PLAIN, key, "one")
    row = planned(office, "delete", bucket=PLAIN, key=key)
    assert "can't be undone" in row.plan["warnings"][0]
    [row] = delivered(office, row)
    assert (row.state, server.text(PLAIN, key)) == ("confirmed", None)
    with pytest.raises(Refused, match="from a backup"):
        undone(office, row)


@pytest.mark.parametrize("server", ["seaweedfs"], indirect=True)
def test_a_sender_is_killed_and_each_object_changes_once(
    server: Server, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_TEST_SECRET", SECRET)
    with proxy(int(server.url.rpartition(":")[2])) as front:
        declared = {"source": "cloud_storage", "driver": "s3"}
        declared |= {"connection": connected(f"http://127.0.0.1:{front.port}")}
        with desk_of(tmp_path / "project", "cloud_storage", declared) as desk:
            killing = Killing(desk, front, b"(PUT|POST|DELETE) /", {"S3_TEST_SECRET": SECRET})
            for point in POINTS:
                server.write(VERSIONED, f"{key}/old/{point}", "one")
                killing.at(point, desk.plan("put", bucket=VERSIONED, key=f"{key}/new/{point}", text="one"))
                killing.at(point, desk.plan("delete", bucket=VERSIONED, key=f"{key}/old/{point}"))
            rows = killing.finish()
    assert [(row.state, row.reason) for row in rows] == [("confirmed", None)] * len(rows)
    for point in POINTS:
        assert server.versions(f"{key}/new/{point}") == 1, point
        assert server.markers(f"{key}/old/{point}") == 1, point


def test_an_undo_leaves_what_a_person_changed_since(office: Office, server: Server, key: str) -> None:
    row = done(office, "put", bucket=PLAIN, key=key, text="one")
    server.write(PLAIN, key, "a person's")
    with pytest.raises(Refused, match="somebody has changed"):
        undone(office, row)
    assert server.text(PLAIN, key) == "a person's"


def test_an_earlier_version_becomes_the_latest(office: Office, server: Server, key: str) -> None:
    for text in ("one", "two", "three"):
        server.write(VERSIONED, key, text)
    listed = server.s3.list_object_versions(Bucket=VERSIONED, Prefix=key)["Versions"]
    by_size = {each["Size"]: each["VersionId"] for each in listed}
    row = done(office, "restore_version", bucket=VERSIONED, key=key)
    assert server.text(VERSIONED, key) == "two"
    undone(office, row)
    assert server.text(VERSIONED, key) == "three"
    with pytest.raises(Refused, match=r"already the latest version|already has the content"):
        planned(office, "restore_version", bucket=VERSIONED, key=key, version_id=by_size[5])
    with pytest.raises(Refused, match=r"version_id: .* has no such version; it has "):
        planned(office, "restore_version", bucket=VERSIONED, key=key, version_id="0" * 32)
    with pytest.raises(Refused, match="no earlier version"):
        planned(office, "restore_version", bucket=PLAIN, key="nothing")


@pytest.mark.parametrize(
    ("verb", "parameters", "message"),
    [
        ("put", {"key": "a", "text": "x", "file": "y"}, "exactly one of file, text and body"),
        ("put", {"key": "a"}, "exactly one of file, text and body"),
        ("put", {"key": "a", "body": "%%"}, "body isn't base64"),
        ("put", {"key": "a", "text": "x", "content_type": "text"}, "content_type: "),
        ("put", {"key": "/a", "text": "x"}, "key: a key can't begin with a slash"),
        ("put", {"key": "a/../b", "text": "x"}, "key: .* none of its parts may be"),
        ("put", {"key": "a%2f%2e%2e/./b", "text": "x"}, "key: "),
        ("put", {"key": "a/", "text": "x"}, "key: it names a folder"),
        ("put", {"key": "a\n", "text": "x"}, "key: a key can't hold control characters"),
        ("put", {"key": "ü" * 513, "text": "x"}, "key: a key has 1 to 1024 bytes"),
        ("delete", {"key": "a", "bucket": "a/b"}, "bucket: a bucket's name has"),
        ("delete", {}, "key: is missing"),
        ("copy", {"key": "a"}, "to_key: is missing"),
        ("move", {"key": "a", "to": "b"}, "to: no such parameter"),
        ("restore_version", {"key": "a", "version_id": ""}, "version_id: "),
    ],
)
def test_bad_parameters_are_named(office: Office, verb: str, parameters: dict[str, Any], message: str) -> None:
    declared, _ = office.verb("cloud_storage", verb)
    with pytest.raises(UnknownAction, match=message):
        read_parameters(declared, f"cloud_storage.{verb}", parameters)


def test_a_bucket_is_named_where_there_are_several(office: Office, server: Server, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="bucket: name one: kept, plain"):
        planned(office, "put", key="x", text="x")
    with pytest.raises(NotFound, match="NoSuchBucket"):
        planned(office, "put", bucket="other", key="x", text="x")
    connection = {"url": server.url, "access_key": KEY, "secret_key": {"env": "S3_TEST_SECRET"}, "buckets": [PLAIN]}
    with office_of(tmp_path / "one", "cloud_storage", "s3", connection) as one:
        assert planned(one, "put", key="x", text="x").target == "plain/x"
        with pytest.raises(Refused, match=r"bucket: kept isn't among connection.buckets"):
            planned(one, "put", bucket=VERSIONED, key="x", text="x")


def test_no_secret_is_stored_and_a_wrong_one_is_said(
    office: Office, server: Server, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = planned(office, "put", bucket=PLAIN, key=key, text="one")
    assert SECRET not in json.dumps([row.plan, row.parameters], default=str)
    if server.kind == "seaweedfs":  # moto accepts every key
        monkeypatch.setenv("S3_TEST_SECRET", "planted-wrong-secret")
        [failed] = delivered(office, row)
        assert failed.state == "failed"
        assert "check connection.access_key" in str(failed.reason)
        assert "planted" not in str(failed.reason)
        with pytest.raises(Unauthenticated):
            planned(office, "delete", bucket=PLAIN, key=key)
    stored = everything_stored(tmp_path)
    assert SECRET.encode() not in stored
    assert b"planted-wrong-secret" not in stored


def test_an_account_that_may_only_read_gets_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("limited")
    monkeypatch.setattr("leat.demo.servers.seaweedfs._identity", _limited)
    monkeypatch.setenv("S3_TEST_SECRET", READ_ONLY_SECRET)
    accounts = {"office": (KEY, SECRET), "reader": (READ_ONLY, READ_ONLY_SECRET)}
    with running(start_seaweedfs(folder, accounts)) as process:
        url = f"http://127.0.0.1:{process.port}"
        s3 = boto3.client(
            "s3", endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=SECRET, region_name="us-east-1"
        )
        s3.create_bucket(Bucket=PLAIN)
        s3.put_object(Bucket=PLAIN, Key="a", Body=b"one")
        connection = {"url": url, "access_key": READ_ONLY, "secret_key": {"env": "S3_TEST_SECRET"}, "buckets": [PLAIN]}
        with office_of(tmp_path, "cloud_storage", "s3", connection) as office:
            rows = [planned(office, "put", key="b", text="x"), planned(office, "delete", key="a")]
            rows = delivered(office, *rows)
            assert [row.state for row in rows] == ["failed", "failed"]
            assert "allow s3:PutObject to the account" in str(rows[0].reason)
            assert "allow s3:DeleteObject to the account" in str(rows[1].reason)
            with office.connected("cloud_storage") as system, pytest.raises(Forbidden):
                ACTIONS["put"].send(system, order(office, rows[0]))
        assert [each["Key"] for each in s3.list_objects_v2(Bucket=PLAIN)["Contents"]] == ["a"]
        monkeypatch.setenv("S3_ACTION_SECRET", SECRET)
        own = {"action_access_key": KEY, "action_secret_key": {"env": "S3_ACTION_SECRET"}}
        with office_of(tmp_path / "own", "cloud_storage", "s3", connection | own) as office:
            done(office, "put", key="b", text="x")
        half = {"action_access_key": KEY}
        without = office_of(tmp_path / "half", "cloud_storage", "s3", connection | half)
        with without as office, pytest.raises(NotConfigured, match="action_secret_key"):
            planned(office, "put", key="c", text="x")


def _limited(name: str, pair: tuple[str, str]) -> dict[str, object]:
    actions = ["Admin", "Read", "List", "Write"] if name == "office" else ["Read", "List"]
    return {"name": name, "credentials": [{"accessKey": pair[0], "secretKey": pair[1]}], "actions": actions}


def test_the_time_of_a_version_is_shown_in_the_title(office: Office, server: Server, key: str) -> None:
    server.write(VERSIONED, key, "one")
    server.write(VERSIONED, key, "two!")
    row = planned(office, "restore_version", bucket=VERSIONED, key=key)
    assert f"as it was on {datetime.now(UTC):%Y-%m-%d}" in row.title
    assert row.title.endswith("(3 bytes)")
