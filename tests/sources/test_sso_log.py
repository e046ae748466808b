"""Canaille's log, read on from where the last run ended: lines, rotations, bounds, and nothing secret."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from leat.limits import LOG_LINE_BYTES as MAX_LINE
from leat.sources.driver import Sync
from leat.sources.errors import NotFound
from leat.sources.events import Event, Logged, Quarantined, Rows
from leat.sources.sso.canaille.security_lines import blank, parse_line
from leat.sources.sso.canaille.security_log import read_log

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
QUIET = "Issued client_credentials token for client leat"


def line(message: str, second: int = 0, level: str = "SECURITY") -> str:
    return f"[2026-03-01 10:{second // 60 % 60:02}:{second % 60:02},123] - 10.0.0.1 - {level} in logging: {message}\n"


def login(number: int) -> str:
    return line(f"Successful authentication for user{number}", number)


@dataclass
class Log:
    """A log, and what was read of it."""

    folder: Path
    cursor: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.folder / "security.log"

    def write(self, *lines: str) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(lines)

    def read(self, bound: int = 2**20, zone: str = "UTC") -> list[str]:
        """Read what was added; return the logins of the new rows in the order in which they came."""
        sync = Sync("sso", frozenset({"login_events"}), None, self.folder, self.folder, NOW)
        self.events = []
        self.cursor = self._take(read_log(sync, self.path, ZoneInfo(zone), self.cursor, bound))
        new = [row for event in self.events if isinstance(event, Rows) for row in event.table.to_pylist()]
        fresh = [row for row in new if row["id"] not in self.rows]
        self.rows |= {row["id"]: row for row in new}
        return [str(row["user_name"]) for row in fresh]

    def _take(self, events: Any) -> dict[str, Any]:
        while True:
            try:
                self.events.append(next(events))
            except StopIteration as end:
                return dict(end.value)

    def gaps(self) -> list[str]:
        return [event.event_type for event in self.events if isinstance(event, Logged)]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


# Pain: logs endless without an upper bound


def test_a_log_is_read_up_to_a_bound_and_on_from_there(log: Log) -> None:
    log.write(*(login(number) for number in range(1000)))
    size = len(login(0))
    runs = [log.read(bound=100 * size) for _ in range(12)]
    assert max(map(len, runs)) == len(runs[0]) == 100
    assert sum(map(len, runs)) == len(log.rows) == 1000
    assert log.events == []


def test_a_log_that_grows_while_it_is_read_is_read_to_where_it_was(log: Log) -> None:
    log.write(*(login(number) for number in range(20_000)))
    sync = Sync("sso", frozenset({"login_events"}), None, log.folder, log.folder, NOW)
    events = read_log(sync, log.path, ZoneInfo("UTC"), {})
    first = next(events)
    log.write(*(login(number) for number in range(20_000, 20_100)))
    read = [event.table.num_rows for event in (first, *events) if isinstance(event, Rows)]
    assert sum(read) == 20_000


def test_nothing_new_is_nothing(log: Log) -> None:
    log.write(login(1))
    assert log.read() == ["user1"]
    before = dict(log.cursor)
    assert log.read() == []
    assert (log.events, log.cursor) == ([], before)


def test_what_is_no_sign_in_is_no_news(log: Log) -> None:
    log.write(login(1))
    log.read()
    before = dict(log.cursor)
    log.write(line("Running on http://127.0.0.1", level="INFO"), line(QUIET, 2), line("trouble", level="ERROR"))
    log.write("Traceback (most recent call last):\n", '  File "x.py", line 1, in f\n', "TypeError: no\n")
    assert log.read() == []
    assert (log.events, log.cursor) == ([], before)
    log.write(login(3))
    assert log.read() == ["None", "user3"]


def test_a_long_stretch_without_news_is_passed_once(log: Log) -> None:
    log.write(login(1))
    log.read()
    before = dict(log.cursor)
    log.write(*(line("x" * 1000, level="INFO") for _ in range(1100)))
    assert log.read(bound=2**22) == []
    assert log.cursor["offset"] > before["offset"] + 2**20


def test_a_line_is_read_when_it_is_whole(log: Log) -> None:
    whole = login(2)
    log.write(login(1), whole[:40])
    assert log.read() == ["user1"]
    log.write(whole[40:])
    assert log.read() == ["user2"]
    assert not [event for event in log.events if isinstance(event, Quarantined)]


# rotation


def test_a_renamed_log_is_read_to_its_end_first(log: Log) -> None:
    log.write(login(1))
    log.read()
    log.write(login(2))
    log.path.rename(log.folder / "security.log.1")
    log.write(login(3))
    assert log.read() == ["user2", "user3"]
    assert log.gaps() == []


def test_two_rotations_between_two_runs(log: Log) -> None:
    log.write(login(1))
    log.read()
    log.write(login(2))
    log.path.rename(log.folder / "security.log.2")
    log.write(login(3))
    packed = log.folder / "security.log.2"
    with gzip.open(log.folder / "security.log.2.gz", "wb") as file:
        file.write(packed.read_bytes())
    packed.unlink()
    log.path.rename(log.folder / "security.log.1")
    log.write(login(4))
    shutil.copystat(log.folder / "security.log.1", log.folder / "security.log.2.gz")
    assert log.read() == ["user2", "user3", "user4"]


def test_a_log_that_is_copied_and_truncated(log: Log) -> None:
    log.write(login(1))
    log.read()
    log.write(login(2))
    shutil.copy2(log.path, log.folder / "security.log.1")
    log.path.write_text("")
    log.write(login(3))
    assert log.read() == ["user2", "user3"]
    assert log.gaps() == []


def test_a_log_without_a_new_file_yet(log: Log) -> None:
    log.write(login(1), login(2))
    log.read()
    log.path.rename(log.folder / "security.log-20260301")
    assert log.read() == []
    log.write(login(3))
    assert log.read() == ["user3"]


def test_a_truncated_log_is_read_again_and_no_row_twice(log: Log) -> None:
    log.write(login(1), login(2), login(3))
    log.read()
    log.path.write_text(login(1))
    log.write(login(4))
    assert log.read() == ["user4"]
    assert log.gaps() == ["log_gap"]
    assert log.read() == []


def test_a_log_that_is_gone_is_reported(log: Log) -> None:
    log.write(login(1))
    log.read()
    log.path.unlink()
    with pytest.raises(NotFound, match="canaille_log"):
        log.read()
    log.write(login(2))
    assert log.read() == ["user2"]
    assert log.gaps() == ["log_gap"]


def test_rotated_files_are_read_at_first_too(log: Log) -> None:
    log.write(login(1))
    log.path.rename(log.folder / "security.log.1")
    log.write(login(2))
    (log.folder / "security.log.bak").write_text(login(9))
    assert log.read() == ["user1", "user2"]


def test_logs_that_begin_alike_are_distinguished(log: Log) -> None:
    header = line("Starting", level="INFO").replace("10:00:00", "00:00:00")
    log.write(header, login(1))
    log.read()
    log.write(login(2))
    log.path.rename(log.folder / "security.log.1")
    log.write(header, login(3), login(4), login(5))
    assert log.read() == ["user2", "user3", "user4", "user5"]


# lines


@pytest.mark.parametrize(
    "bad",
    [
        line("Something that Canaille never said"),
        "[yesterday] - 10.0.0.1 - SECURITY in logging: Successful authentication for ann\n",
        "10.0.0.1 SECURITY in logging: Successful authentication for ann\n",
        line("Successful authentication for " + "a" * MAX_LINE),
    ],
    ids=["message", "time", "head", "long"],
)
def test_a_line_that_cannot_be_understood_is_quarantined_alone(log: Log, bad: str) -> None:
    log.write(login(1), bad, login(2))
    assert log.read() == ["user1", "user2"]
    (actual,) = [event for event in log.events if isinstance(event, Quarantined)]
    assert (actual.stream, len(actual.record) <= 1000) == ("login_events", True)
    assert log.read() == []


def test_odd_bytes_and_unicode(log: Log) -> None:
    with log.path.open("ab") as file:
        file.write(line("Successful authentication for zoë🦊").encode())
        file.write(b"\xff\x00 no text\r\n")
        file.write(line("Failed password authentication for \udcff", 2).encode("utf-8", "surrogateescape"))
    assert log.read() == ["zoë🦊", "\\xff"]


def test_times_are_of_the_zone_that_is_named(log: Log) -> None:
    log.write(login(0))
    log.read(zone="Asia/Tokyo")
    (row,) = log.rows.values()
    assert row["occurred_at"] == datetime(2026, 3, 1, 1, 0, 0, 123_000, tzinfo=UTC)


def test_no_password_and_no_token_lands(log: Log) -> None:
    secret = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
    log.write(
        line(f"Failed WebAuthn authentication for ann: token={secret} expired"),
        line(f"Something new: password is hunter2, bearer: {secret}", 1),
        line(f"Sending one-time passcode for ann to {secret}", 2),
    )
    log.read()
    said = str(log.events) + str([e.table.to_pylist() for e in log.events if isinstance(e, Rows)])
    assert secret not in said
    assert "hunter2" not in said
    assert "expired" in said


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Successful authentication for ann", ("login", True, "ann", None, None)),
        ("Successful password authentication for ann", ("factor", True, "ann", "password", None)),
        ("Failed OTP authentication for ann", ("login", False, "ann", "otp", None)),
        ("Failed sms code authentication for ann", ("login", False, "ann", "sms", None)),
        ("Logout ann", ("logout", True, "ann", None, None)),
        ("Logout all users", ("logout", True, None, None, None)),
        ("Issued authorization_code token for ann in client The Shop", ("token_issued", True, "ann", None, "The Shop")),
        (QUIET, ("token_issued", True, None, None, "leat")),
        ("New consent for ann in client Shop", ("consent_given", True, "ann", None, "Shop")),
        ("Consent revoked for ann in client Shop", ("consent_revoked", True, "ann", None, "Shop")),
        ("Revoked token for ann in client Shop by root", ("token_revoked", True, "ann", None, "Shop")),
        ("Changed password in settings for ann", ("password_changed", True, "ann", None, None)),
        ("Sending a reset password mail to a@x.example for ann", ("password_reset_sent", True, "ann", None, None)),
        ("Reset one-time passcode authentication from CLI for ann", ("factor_changed", True, "ann", None, None)),
        ("WebAuthn credential registered for ann", ("factor_changed", True, "ann", "webauthn", None)),
        ("SCIM created user 1-2 by client sync", ("user_changed", True, None, None, "sync")),
        ("Deleted client shop by 1-2", ("application_changed", True, None, None, "shop")),
        (
            "Client shop authentication attempt with a secret expired since 2026-01-01",
            ("login", False, None, None, "shop"),
        ),
    ],
)
def test_what_canaille_says(message: str, expected: tuple[Any, ...]) -> None:
    row = parse_line(line(message).rstrip("\n"), ZoneInfo("UTC"))
    assert row is not None
    names = ("kind", "success", "user_name", "factor", "application")
    assert tuple(row.get(name) for name in names) == expected


def test_identities_are_no_secrets() -> None:
    identity = "e74038b1-f5f7-40b1-877a-b9dd438a0cc2"
    assert blank(f"SCIM replaced group {identity}") == f"SCIM replaced group {identity}"
