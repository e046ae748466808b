"""Hostile input of every format: each ends in an error that says what was too much, or is cut, in bounded memory.

The bounds of memory are far below what the input would become, and far above what a reader needs: they don't depend on
the machine, for Python's own allocations are counted.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import leat.sources.calendar.ics.files
import leat.sources.calendar.ics.zones
import leat.sources.http.exchange
from leat import limits
from leat.limits import MIB
from leat.pipelines.declare.yaml_file import DeclarationError, parse_yaml, read_yaml
from leat.sources.batch import Batch
from leat.sources.calendar.ics.files import parse_file
from leat.sources.calendar.ics.rules import Window
from leat.sources.driver import Sync
from leat.sources.errors import IntegrationError, UnexpectedShape
from leat.sources.http.safe_xml import parse_xml
from leat.sources.sso.canaille.security_log import read_log
from leat.sources.stream import Column, Stream
from tests.kit.raw_server import RawServer, answer, raw_server
from tests.sources.calendar_tables import ics
from tests.sources.email_messages import multipart, read, with_head
from tests.sources.http_client import client_of

YEAR = Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
THINGS = Stream(
    "things",
    "A thing.",
    (Column("id", "integer", "Id."), Column("data", "json", "Data.")),
    key=("id",),
    deletes="never",
)


@contextlib.contextmanager
def memory_below(size: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size, f"{peak / MIB:.0f} MiB"


# -- HTTP -------------------------------------------------------------------------------------------------------------


def bomb(kind: str, size: int) -> bytes:
    """Return zeros, compressed; ``twice`` is compressed again."""
    packer = zlib.compressobj(9, wbits=-15 if kind == "deflate" else 31)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(size // MIB)) + packer.flush()
    return gzip.compress(packed) if kind == "twice" else packed


@pytest.mark.parametrize(("kind", "encoding"), [("gzip", "gzip"), ("deflate", "deflate"), ("twice", "gzip, gzip")])
def test_an_answer_that_is_a_bomb_is_given_up(
    kind: str, encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leat.sources.http.exchange, "MAX_ANSWER", 8 * MIB)  # so that the test takes less
    packed = bomb(kind, 256 * MIB)
    assert len(packed) < MIB
    reply = answer(packed, headers={"Content-Encoding": encoding})

    def handle(_server: RawServer, client: socket.socket, _head: str, _body: bytes) -> None:
        with contextlib.suppress(OSError):
            client.sendall(reply)

    with (
        raw_server(handle) as server,
        client_of(tmp_path, server.url) as (client, _),
        memory_below(48 * MIB),
        pytest.raises(UnexpectedShape, match="more than 8388608 bytes"),
    ):
        client.get("things")


def test_a_head_that_never_ends_is_given_up(tmp_path: Path) -> None:
    def handle(_server: RawServer, client: socket.socket, _head: str, _body: bytes) -> None:
        with contextlib.suppress(OSError):
            client.sendall(b"HTTP/1.1 200 OK\r\n")
            for number in range(50):
                client.sendall(b"X-%d: " % number + b"y" * 60_000 + b"\r\n")

    with (
        raw_server(handle) as server,
        client_of(tmp_path, server.url) as (client, _),
        memory_below(16 * MIB),
        pytest.raises(IntegrationError),
    ):
        client.get("things")


# -- XML and JSON -----------------------------------------------------------------------------------------------------

LAUGHS = b'<!DOCTYPE x [<!ENTITY a0 "ha">' + b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)
) + b"]><x>&a11;</x>"  # fmt: skip


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (LAUGHS, "document type"),
        (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "document type"),
        (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><x/>', "document type"),
        (b'<!DOCTYPE x [<!ENTITY % e SYSTEM "file:///etc/passwd"> %e;]><x/>', "document type"),
        (b"<x>&undeclared;</x>", "not XML"),
        (b"<a>" * 1_000_000, "64 levels"),
    ],
    ids=["laughs", "file", "external", "parameter", "undeclared", "deep"],
)
def test_xml_has_no_entities_and_an_end(document: bytes, said: str) -> None:
    with memory_below(8 * MIB), pytest.raises(ValueError, match=said):
        parse_xml(document)


@pytest.mark.parametrize("body", [b"[" * 5 * MIB, b'{"a":' * MIB, b"[" * 10_000 + b"]" * 10_000])
def test_json_that_nests_without_end_is_refused(body: bytes, tmp_path: Path) -> None:
    def handle(_server: RawServer, client: socket.socket, _head: str, _body: bytes) -> None:
        client.sendall(answer(body))

    with (
        raw_server(handle) as server,
        client_of(tmp_path, server.url) as (client, _),
        memory_below(32 * MIB),
        pytest.raises(UnexpectedShape, match="not JSON"),
    ):
        client.json(client.get("things"))


def test_a_field_of_json_has_a_depth_and_a_size() -> None:
    deep: list[object] = []
    for _ in range(limits.JSON_DEPTH + 1):
        deep = [deep]
    for value, said in ((deep, "nested deeper than 500"), ("x" * (limits.FIELD_BYTES + 1), "MB|bytes|large|long")):
        with memory_below(8 * limits.FIELD_BYTES), pytest.raises(ValueError, match=said):
            list(Batch(THINGS).add({"id": 1, "data": value}))


# -- YAML -------------------------------------------------------------------------------------------------------------

ALIASES = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ALIASES, "x.yaml:2: an alias is not allowed"),
        ("a: &a {b: 1}\nc: {<<: *a}\n", "x.yaml:2: an alias is not allowed"),
        ("a: " + "[" * 20_000, "x.yaml:1: nested deeper than 50 levels"),
        ("".join(" " * n + f"k{n}:\n" for n in range(300)), "nested deeper than 50 levels"),
        ("a: !!python/object/apply:os.system ['true']\n", "is not allowed"),
        ("a: !!python/name:os.system\n", "x.yaml:1: not YAML: could not determine a constructor"),
    ],
    ids=["aliases", "merge", "flow", "block", "object", "name"],
)
def test_yaml_makes_neither_objects_nor_much_out_of_little(text: str, said: str) -> None:
    with memory_below(32 * MIB), pytest.raises(DeclarationError) as raised:
        parse_yaml(text, Path("x.yaml"), "x.yaml")
    assert said in str(raised.value)


def test_a_declaration_has_a_size(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"a: " + b"x" * 64 * MIB)
    with memory_below(8 * MIB), pytest.raises(DeclarationError, match="larger than 1000000 bytes"):
        read_yaml(tmp_path / "x.yaml", "x.yaml")


EVERY = ";".join(f"BY{name}={','.join(map(str, range(most)))}" for name, most in
                 (("HOUR", 24), ("MINUTE", 60), ("SECOND", 60)))  # fmt: skip
"""Each second of a day: 86,400 times to be made for a rule."""


# -- calendars --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        ("UID:a", "DTSTART:20260101T000000Z", "RRULE:FREQ=SECONDLY"),
        ("UID:a", "DTSTART:00010101T000000Z", "RRULE:FREQ=SECONDLY;BYSETPOS=-1;BYSECOND=0,1,2"),
        ("UID:a", "DTSTART:20260101T000000Z", *["RRULE:FREQ=MINUTELY"] * 5_000),
        ("UID:a", "DTSTART:20260101T000000Z", *[f"RRULE:FREQ=DAILY;{EVERY};COUNT={n}" for n in range(1, 500)]),
        ("UID:a", "DTSTART:20260101T000000Z", "RDATE:" + ",".join(["20260102T000000Z"] * 50_000)),
    ],
    ids=["secondly", "ancient", "many", "wide", "dates"],
)
def test_a_series_has_no_more_occurrences_than_are_useful(lines: tuple[str, ...]) -> None:
    with memory_below(192 * MIB):
        parsed = parse_file("c", "x.ics", ics(*lines), None, YEAR)
    assert len(parsed.rows["occurrences"]) <= limits.ICS_OCCURRENCES
    assert parsed.quarantined or parsed.rows["events"]


def test_many_dense_series_of_a_file_share_what_they_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leat.sources.calendar.ics.files, "ICS_FILE_WORK", 1_000_000)  # so that the test takes less
    event = ["BEGIN:VEVENT", "UID:{}", "DTSTART:20260101T000000Z", "RRULE:FREQ=MINUTELY;COUNT=3000", "END:VEVENT"]
    with memory_below(64 * MIB):
        parsed = parse_file("c", "x.ics", ics(*[line.format(n) for n in range(300) for line in event]), None, YEAR)
    rows = len(parsed.rows["occurrences"])
    assert 3_000 <= rows <= 1_000_000 // 100 + 3_000 + 300, "each series is there at least once"
    assert len(parsed.bounded) > 200
    assert len(parsed.rows["events"]) == 300


def test_a_file_defines_so_many_zones_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leat.sources.calendar.ics.zones, "ICS_ZONES", 5)  # so that the test takes less
    zone = ["BEGIN:VTIMEZONE", "TZID:Z{}", "BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0100",
            "TZOFFSETTO:+0200", "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=3", "END:STANDARD", "END:VTIMEZONE"]  # fmt: skip
    zones = tuple(line.format(n) for n in range(20) for line in zone)
    with memory_below(128 * MIB):
        parsed = parse_file("c", "x.ics", ics("UID:a", "DTSTART;TZID=Z1:20260312T100000", zones=zones), None, YEAR)
    assert parsed.quarantined == []
    assert len(parsed.rows["events"]) == 1
    parsed = parse_file("c", "x.ics", ics("UID:a", "DTSTART;TZID=Z15:20260312T100000", zones=zones), None, YEAR)
    assert ["zone" in each.reason for each in parsed.quarantined] == [True]


def test_components_nest_no_deeper_than_they_may() -> None:
    with memory_below(32 * MIB):
        parsed = parse_file("c", "x.ics", ics(*["BEGIN:X-A"] * 100_000), None, YEAR)
    assert [f"more than {limits.ICS_DEPTH} deep" in each.reason for each in parsed.quarantined] == [True]


# -- mail -------------------------------------------------------------------------------------------------------------


def _nested(levels: int) -> bytes:
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (_nested(200), f"nested deeper than {limits.MIME_DEPTH}"),
        (multipart(*[b""] * 60_000), "parts were read"),
        (b"".join(b"X-%d: y\r\n" % n for n in range(200_000)) + b"\r\nbody", f"first {limits.MIME_HEAD_LINES} lines"),
    ],
    ids=["deep", "parts", "header"],
)
def test_a_message_is_read_up_to_its_limits_and_says_so(raw: bytes, said: str) -> None:
    with memory_below(256 * MIB):
        rows = dict(reversed(read(raw).rows))
    assert any(said in defect for defect in rows["messages"]["defects"]), rows["messages"]["defects"]


def test_a_header_is_stored_up_to_a_length() -> None:
    with memory_below(256 * MIB):
        message = read(with_head("Subject: " + "x" * 5 * MIB, "X-Other: " + "y" * 5 * MIB))
    assert all(len(str(value)) <= MIB for _, row in message.rows for value in row.values())


# -- what is packed ---------------------------------------------------------------------------------------------------


def test_a_packed_log_is_read_in_bounded_pieces(tmp_path: Path) -> None:
    (tmp_path / "security.log.1.gz").write_bytes(bomb("gzip", 128 * MIB))
    (tmp_path / "security.log").touch()
    sync = Sync("sso", frozenset({"login_events"}), None, tmp_path, tmp_path, YEAR.start)
    with memory_below(16 * MIB):
        events = list(read_log(sync, tmp_path / "security.log", ZoneInfo("UTC"), {}))
    assert len(events) < 10
