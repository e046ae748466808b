"""Backups, their restore tests and their retention; links and policies; what leat's own streams then say of them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from leat.actions import steps
from leat.actions.decide import approve
from leat.actions.deliver import deliver
from leat.actions.office import Office
from leat.actions.propose import order_of
from leat.control.kill_switch import Stop, start_actions, stop_actions
from leat.control.outbox import ActionRow, read_actions
from leat.sources.actions import Refused
from leat.sources.cloud_storage.s3.actions import runs
from leat.sources.cloud_storage.s3.actions.hashes import Progress
from leat.sources.cloud_storage.s3.driver import Connection, extract
from leat.sources.driver import Sync
from leat.sources.events import Rows
from leat.sources.http.sigv4 import Keys, SigV4, presigned_url
from tests.kit.acted import delivered, done, everything_stored, office_of, planned, undone
from tests.sources.storage_server import KEY, PLAIN, SECRET, VERSIONED, Server, storage_server

STREAMS = frozenset({"backup_runs", "restore_tests"})


@pytest.fixture(scope="module", params=["seaweedfs", "moto"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with storage_server(request.param, tmp_path_factory.mktemp(request.param)) as server:
        yield server


@pytest.fixture(params=[VERSIONED, PLAIN])
def bucket(request: pytest.FixtureRequest) -> str:
    """Return where backups go."""
    return str(request.param)


@pytest.fixture
def at() -> str:
    """Return the folder in which this test works."""
    return secrets.token_hex(4)


@pytest.fixture
def connection(server: Server, bucket: str, at: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("S3_TEST_SECRET", SECRET)
    for key, text in (("a.txt", "one"), ("b c+ü/d.txt", "two"), ("empty", "")):
        server.write(PLAIN, f"{at}/data/{key}", text)
    return {
        "url": server.url,
        "access_key": KEY,
        "secret_key": {"env": "S3_TEST_SECRET"},
        "in_flight": 1,
        "backups": [{"name": "books", "bucket": bucket, "prefix": f"{at}/backups/"}],
        "restore_tests": [{"bucket": bucket, "prefix": f"{at}/reports/"}],
    }


@pytest.fixture
def office(connection: dict[str, Any], tmp_path: Path) -> Iterator[Office]:
    with office_of(tmp_path, "cloud_storage", "s3", connection) as office:
        yield office


def backed_up(office: Office, at: str) -> ActionRow:
    return done(office, "backup", backup="books", bucket=PLAIN, prefix=f"{at}/data/")


def loaded(connection: dict[str, Any], folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what the streams say of backups."""
    sync = Sync("cloud_storage", STREAMS, None, folder, folder / "state", datetime.now(UTC))
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in STREAMS}
    for event in extract(Connection.model_validate(connection), sync):
        if isinstance(event, Rows):
            rows[event.stream] += event.table.to_pylist()
    return rows


def call(office: Office, row: ActionRow, step: str, *more: Any) -> Any:
    declared, action = office.verb("cloud_storage", row.verb)
    with office.connected("cloud_storage") as system:
        return getattr(action, step)(system, order_of(office.store, declared, row), *more)


def test_a_backup_and_its_restore_test_show_up_in_the_streams(
    office: Office, server: Server, connection: dict[str, Any], bucket: str, at: str, tmp_path: Path
) -> None:
    row = backed_up(office, at)
    run = row.plan["payload"]["run"]
    assert row.title == f"back up {PLAIN}/{at}/data/ as books: 3 objects, 6 bytes"
    folder = f"{at}/backups/{run}/"
    manifest = json.loads(server.text(bucket, f"{folder}manifest.json") or "")
    assert [each["key"] for each in manifest["objects"]] == [
        f"{at}/data/{key}" for key in ("a.txt", "b c+ü/d.txt", "empty")
    ]
    assert {each["size"] for each in manifest["objects"]} == {3, 0}
    assert manifest["action"] == row.id
    assert server.text(bucket, f"{folder}objects/{at}/data/b c+ü/d.txt") == "two"
    assert call(office, row, "probe").data["objects"] == 3
    assert call(office, row, "send").data["objects"] == 3, "what is there isn't made again"
    before = len(server.keys(bucket, f"{at}/"))
    test = done(office, "restore_test", backup="books")
    assert test.receipt is not None
    assert test.receipt["ok"] is True
    assert call(office, test, "send").data["ok"] is True
    assert len(server.keys(bucket, f"{at}/")) == before + 1, "the report is new, and the scratch folder is empty"
    assert server.keys(bucket, "restore-scratch/") == []
    rows = loaded(connection, tmp_path)
    [run_row], [report] = rows["backup_runs"], rows["restore_tests"]
    assert (run_row["backup"], run_row["run"], run_row["objects"]) == ("books", run, 4)
    assert (report["backup"], report["run"], report["ok"]) == ("books", run, True)
    assert "every SHA-256 as in the manifest" in report["detail"]
    assert undone(office, test).verb == "delete"
    assert undone(office, row).verb == "delete_backup"
    assert server.keys(bucket, folder) == []
    assert list((tmp_path / ".leat").rglob("*.progress")) == []


def test_a_backup_that_is_damaged_fails_its_restore_test(
    office: Office,
    server: Server,
    connection: dict[str, Any],
    bucket: str,
    at: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("leat.actions.steps._CONFIRMED_WITHIN", 0.5)  # waiting repairs nothing
    folder = f"{at}/backups/{backed_up(office, at).plan['payload']['run']}/objects/{at}/data/"
    server.write(bucket, f"{folder}a.txt", "onf")
    server.s3.delete_object(Bucket=bucket, Key=f"{folder}empty")
    [row] = delivered(office, planned(office, "restore_test", backup="books"), patience=30)
    assert row.state == "diverged"
    assert "2 of 3 objects can't be restored" in str(row.reason)
    [report] = loaded(connection, tmp_path)["restore_tests"]
    assert report["ok"] is False
    assert f"{at}/data/a.txt: its content is another one" in report["detail"]
    assert server.keys(bucket, "restore-scratch/") == []


def test_a_long_backup_is_stopped_in_between_and_goes_on_where_it_was(
    office: Office, server: Server, bucket: str, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = planned(office, "backup", backup="books", bucket=PLAIN, prefix=f"{at}/data/")
    approve(office.store, row, "bob")
    monkeypatch.setattr(runs, "PART", -1.0)
    monkeypatch.setattr(steps, "_STOPS_READ_EVERY", 0)
    note = Progress.note

    def stopped_meanwhile(progress: Progress, key: str, what: dict[str, Any]) -> None:
        note(progress, key, what)
        stop_actions(office.store, Stop("cloud_storage", "ann", datetime.now(UTC), "too slow"))

    monkeypatch.setattr(Progress, "note", stopped_meanwhile)
    deliver(office, "cloud_storage")
    [row] = read_actions(office.store, ids=[row.id])
    assert (row.state, row.reason) == ("approved", "stopped when 1 of 3 objects are done")
    assert call(office, row, "probe") is None
    assert server.keys(bucket, f"{at}/backups/") != []
    assert server.keys(bucket, f"{at}/backups/")[0].endswith("/a.txt"), "no manifest before all is there"
    monkeypatch.setattr(Progress, "note", note)
    server.write(PLAIN, f"{at}/data/b c+ü/d.txt", "changed")
    server.s3.delete_object(Bucket=PLAIN, Key=f"{at}/data/empty")
    start_actions(office.store, "cloud_storage")
    deliver(office, "cloud_storage", patience=5)
    [row] = read_actions(office.store, ids=[row.id])
    assert (row.state, row.attempts) == ("confirmed", 2)
    assert row.receipt is not None
    assert (row.receipt["objects"], row.receipt["bytes"]) == (2, 10)


def _aged(monkeypatch: pytest.MonkeyPatch, office: Office, days: int) -> None:
    """Let the office plan as if it were some days ago."""
    moment = datetime.now(UTC) - timedelta(days=days)

    class _Then(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return moment

    monkeypatch.setattr("leat.actions.office.datetime", _Then)


def test_old_runs_go_and_the_latest_complete_one_stays(
    office: Office, server: Server, bucket: str, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for days in (40, 30, 20):
        _aged(monkeypatch, office, days)
        made.append(backed_up(office, at).plan["payload"]["run"])
    monkeypatch.setattr("leat.actions.office.datetime", datetime)
    prefix = f"{at}/backups/"
    server.write(bucket, f"{prefix}2026-a.dump", "made by another program")
    server.write(bucket, f"{prefix}other/1.dump", "too")
    server.s3.delete_object(Bucket=bucket, Key=f"{prefix}{made[2]}/manifest.json")  # it was never completed
    with pytest.raises(Refused, match="no run of leat that is older than 60 days"):
        planned(office, "prune_backups", backup="books", older_than_days=60)
    row = planned(office, "prune_backups", backup="books", older_than_days=10)
    assert [what for what, _, _ in row.plan["changes"]] == [f"run {made[0]}", f"run {made[2]}"]
    [row] = delivered(office, row)
    assert row.state == "confirmed", row.reason
    left = {key.removeprefix(prefix).partition("/")[0] for key in server.keys(bucket, prefix)}
    assert left == {made[1], "2026-a.dump", "other"}
    assert call(office, row, "send").data["objects"] == 7, "a second time it deletes nothing"
    with pytest.raises(Refused, match="deleted runs don't come back"):
        undone(office, row)
    last = planned(office, "delete_backup", backup="books", run=made[1])
    assert last.plan["warnings"] == ["it is the latest complete run of this backup"]
    done(office, "delete_backup", backup="books", run=made[1])
    with pytest.raises(Refused, match="run: books has no run"):
        planned(office, "delete_backup", backup="books", run=made[1])


def test_nothing_goes_when_the_run_that_was_to_stay_is_gone(
    office: Office, server: Server, bucket: str, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for days in (40, 30):
        _aged(monkeypatch, office, days)
        made.append(backed_up(office, at).plan["payload"]["run"])
    monkeypatch.setattr("leat.actions.office.datetime", datetime)
    row = planned(office, "prune_backups", backup="books", older_than_days=10)
    server.s3.delete_object(Bucket=bucket, Key=f"{at}/backups/{made[1]}/manifest.json")
    [row] = delivered(office, row)
    assert row.state == "failed"
    assert "the run that was to stay is gone" in str(row.reason)
    assert len(server.keys(bucket, f"{at}/backups/{made[0]}/")) == 4


def test_what_is_not_declared_or_not_there_is_refused(office: Office, at: str) -> None:
    for verb, parameters, why in (
        ("backup", {"backup": "shop", "bucket": PLAIN}, r"backup: shop isn't in connection\.backups, which has books"),
        ("backup", {"backup": "books", "bucket": PLAIN, "prefix": f"{at}/no/"}, "there is nothing to back up below"),
        ("restore_test", {"backup": "books"}, "run: books has no complete run that leat has made"),
        ("prune_backups", {"backup": "books", "older_than_days": 1}, "books has no run of leat"),
        ("share", {"bucket": PLAIN, "key": f"{at}/no"}, "there is no object"),
        ("unshare", {"bucket": PLAIN, "principal": "*"}, "a link ends by itself"),
    ):
        with pytest.raises(Refused, match=why):
            planned(office, verb, **parameters)


def test_a_scratch_folder_that_is_a_folder_of_backups_is_refused(office: Office, at: str) -> None:
    backed_up(office, at)
    with pytest.raises(Refused, match=r"to_prefix: .* is a folder of backups"):
        planned(office, "restore_test", backup="books", to_prefix=f"{at}/backups/")


def test_a_link_works_for_anybody_and_is_stored_nowhere(
    office: Office, server: Server, at: str, tmp_path: Path
) -> None:
    key = f"{at}/data/b c+ü/d.txt"
    row = planned(office, "share", bucket=PLAIN, key=key, hours=168)
    approve(office.store, row, "bob")
    [link] = deliver(office, "cloud_storage", patience=5).shown[row.id].values()
    assert requests.get(link, timeout=10).text == "two"
    if server.kind == "seaweedfs":  # moto looks at no signature
        assert requests.get(link[:-1] + ("0" if link[-1] != "0" else "1"), timeout=10).status_code == 403
    [row] = read_actions(office.store, ids=[row.id])
    assert row.state == "confirmed"
    ends = datetime.fromisoformat((row.receipt or {})["expires_at"])
    assert timedelta(hours=167) < ends - datetime.now(UTC) <= timedelta(hours=168)
    with pytest.raises(Refused, match=r"the link ends at .* by itself"):
        undone(office, row)
    assert link.rpartition("=")[2].encode() not in everything_stored(tmp_path)


def test_a_link_of_another_content_is_not_made(office: Office, server: Server, at: str) -> None:
    row = planned(office, "share", bucket=PLAIN, key=f"{at}/data/a.txt")
    server.write(PLAIN, f"{at}/data/a.txt", "not for everybody")
    [row] = delivered(office, row)
    assert row.state == "failed"


@pytest.mark.parametrize("token", [None, "a/token+="])
def test_links_are_signed_as_the_tools_of_aws_sign_them(token: str | None) -> None:
    now = datetime.now(UTC)
    url = "https://s3.eu-central-1.amazonaws.com/bucket/a%20b%2B%C3%BC/c"
    request = AWSRequest("GET", url)
    S3SigV4QueryAuth(Credentials("AK", SECRET, token), "s3", "eu-central-1", expires=600).add_auth(request)
    theirs = dict(pair.split("=", 1) for pair in str(request.url).partition("?")[2].split("&"))
    signed_at = datetime.strptime(theirs["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert signed_at - now < timedelta(seconds=5)
    link = presigned_url(url, SigV4(Keys("AK", SECRET, token), "eu-central-1"), signed_at, 600)
    assert dict(pair.split("=", 1) for pair in link.partition("?")[2].split("&")) == theirs


def _statement(sid: str, principal: Any, prefix: str) -> dict[str, Any]:
    resource = f"arn:aws:s3:::{PLAIN}/{prefix}*"
    return {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": ["s3:GetObject"], "Resource": [resource]}


def test_somebody_is_taken_out_of_a_policy_and_comes_back(office: Office, server: Server) -> None:
    ann, bob = "arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:user/bob"
    statements = [_statement("Open", "*", "press/"), _statement("Partners", {"AWS": [ann, bob]}, "sales/")]
    policy = {"Version": "2012-10-17", "Statement": statements}
    server.s3.put_bucket_policy(Bucket=PLAIN, Policy=json.dumps(policy))

    def principals() -> list[Any]:
        policy = json.loads(server.s3.get_bucket_policy(Bucket=PLAIN)["Policy"])
        return [each["Principal"] for each in policy["Statement"]]

    before = principals()
    with pytest.raises(Refused, match="no statement of the policy"):
        planned(office, "unshare", bucket=PLAIN, principal=ann, prefix="press/")
    rows = [done(office, "unshare", bucket=PLAIN, principal=ann, prefix="sales/")]
    assert principals() == ["*", {"AWS": [bob]}]
    stale = planned(office, "unshare", bucket=PLAIN, principal="*", prefix="press/")
    rows.append(done(office, "unshare", bucket=PLAIN, principal=bob, prefix="sales/"))
    assert principals() == ["*"]
    [stale] = delivered(office, stale)
    assert (stale.state, principals()) == ("failed", ["*"])
    rows.append(done(office, "unshare", bucket=PLAIN, principal="*", prefix="press/"))
    with pytest.raises(server.s3.exceptions.ClientError):
        principals()
    for row in reversed(rows):
        assert undone(office, row).verb == "set_policy"
    assert principals() == before
    done(office, "set_policy", bucket=PLAIN, policy="null")  # as the command line gives it
    with pytest.raises(server.s3.exceptions.ClientError):
        principals()
