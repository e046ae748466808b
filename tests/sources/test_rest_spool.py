"""Pages that wait: in memory, then in files that nobody else can read."""

from __future__ import annotations

from pathlib import Path

from msgspec import Raw

from leat.sources.http.request import HttpRequest
from leat.sources.rest_api.answers.page import Page
from leat.sources.rest_api.reading.spool import Spool
from tests.kit.odd_values import MARK

RECORDS = b'[{"email":"%s"}]' % MARK.encode()


def page() -> Page:
    return Page(None, RECORDS, [Raw(RECORDS[1:-1])], HttpRequest("things"), "GET /things", "", {})


def test_what_is_on_disk_says_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    large = Page(
        None, b"[%s]" % b",".join([RECORDS[1:-1]] * 600_000), [Raw(b"{}")], HttpRequest("things"), "GET /things", "", {}
    )
    for each in (large, page(), large):
        spool.add(each)
    files = list(tmp_path.iterdir())
    assert len(files) == 2, "a page that fits into memory isn't written"
    assert [file for file in files if MARK.encode() in file.read_bytes()] == []
    assert [spooled.read() for spooled in spool.pages] == [large.records, RECORDS, large.records]
    assert [spooled for spooled in spool.pages if MARK in repr(spooled)] == []
    digest = spool.digest
    spool.restart()
    assert list(tmp_path.iterdir()) == []
    for each in (large, page(), large):
        spool.add(each)
    assert spool.digest == digest
