"""A corpus of odd files through the driver: none stops the run or its neighbours, none is lost in silence."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leat.sources.calendar.caldav import driver as caldav
from tests.sources.calendar_corpus import ENCODINGS, LOADED, QUARANTINED, P
from tests.sources.calendar_faults import Faulty, faulty
from tests.sources.calendar_server import HOME, Calendars
from tests.sources.calendar_tables import Tables, simple

A = HOME + "a/"
HEALTHY = {f"{place}.ics": simple(f"healthy-{place}") for place in ("aa", "mm", "zz")}
_PYTHON = re.compile(r"[A-Z]\w+(Error|Exception)\b|Traceback|object|must be|argument|NoneType|invalid literal")


@pytest.fixture
def server() -> Iterator[Faulty]:
    with faulty() as front:
        yield front


def load(server: Faulty, folder: Path, files: dict[str, bytes], **options: str) -> Tables:
    server.fault = Calendars({A: files}, **options)
    tables = Tables(caldav.Connection.model_validate({"url": server.url}), folder)
    tables.run()
    return tables


def test_every_odd_file_is_loaded_or_quarantined_and_its_neighbours_are_loaded(server: Faulty, tmp_path: Path) -> None:
    odd = {name: content for name, (content, _) in LOADED.items()} | QUARANTINED
    names = {f"{number:03}.ics": name for number, name in enumerate(odd)}
    began = time.process_time()
    tables = load(server, tmp_path, {file: odd[name] for file, name in names.items()} | HEALTHY)
    assert time.process_time() - began < 60

    rows: dict[str, int] = {}
    for row in tables.table("events"):
        file = row["href"].rpartition("/")[2]
        rows[names.get(file, file)] = rows.get(names.get(file, file), 0) + 1
    assert {name: rows.get(name) for name in HEALTHY} == dict.fromkeys(HEALTHY, 1)
    assert {name: rows.get(name, 0) for name in LOADED} == {name: number for name, (_, number) in LOADED.items()}
    broken = {names[match[1]] for item in tables.quarantined() if (match := re.search(r"(\d{3}\.ics)", item.key))}
    assert broken == set(QUARANTINED)
    assert all(P not in item.reason and not _PYTHON.search(item.reason) for item in tables.quarantined())
    assert tables.run() == []


@pytest.mark.parametrize("form", ENCODINGS)
def test_a_file_is_read_in_every_form_it_can_come_in(server: Faulty, tmp_path: Path, form: str) -> None:
    tables = load(server, tmp_path, {"odd.ics": ENCODINGS[form], **HEALTHY})
    assert tables.quarantined() == []
    assert [row["summary"] for row in tables.table("events") if row["uid"] == "1"] == ["Grüße"]


@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", '"ISO-8859-15"'])
def test_an_encoding_that_the_server_declares_is_read(server: Faulty, tmp_path: Path, charset: str) -> None:
    content = ENCODINGS["plain"].decode().encode("latin-1")
    tables = load(server, tmp_path, {"odd.ics": content, **HEALTHY}, charset=charset)
    assert [row["summary"] for row in tables.table("events") if row["uid"] == "1"] == ["Grüße"]
    undeclared = load(server, tmp_path, {"odd.ics": content, **HEALTHY}, charset="nonsense")
    assert ["not UTF-8" in item.reason for item in undeclared.quarantined()] == [True]
    assert len(undeclared.table("events")) == len(HEALTHY)
