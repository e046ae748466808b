"""Encrypted columns: values are nowhere on disk, joins and deletes still find them, keys change together."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.pipelines.load.cells import JOINED, TOKEN, CellError, Cipher, Reader, holds_cell, origin_of, placeholder
from leat.pipelines.load.engine import Engine, Request
from leat.pipelines.load.reencrypt import Reencrypted, reencrypt
from leat.pipelines.load.results import IntegrationResult
from leat.warehouse.connect import open_warehouse
from leat.warehouse.publication import publish_version
from tests.contract.evidence import stored_values, written
from tests.kit.child import Point, run_to_end
from tests.kit.examples import examples
from tests.kit.personal_values import EVERY, PLANTED, needles, packed, places, planted_rows
from tests.kit.project import Tally, delete, full_scan, row, rows
from tests.kit.rings import Ring, key_named

FED = Request(reset=frozenset({"fed"}))
ORIGIN = origin_of("tally", "fed", "label")
NOW = datetime(2026, 11, 30, 9, tzinfo=UTC)
ALL = f"{{history: true, encrypt: [{EVERY}], max_quarantine_share: 1}}"


class Ringed(Tally):
    """A project whose columns are encrypted with keys in memory, also in the processes that a test starts."""

    def engine(self, **changes: Any) -> Engine:
        return super().engine(column_keys=ring_of(self.folder), **changes)

    def load(self, *steps: dict[str, Any], request: Request | None = None) -> IntegrationResult:
        """Bring events, load them and return the result, which has to be good."""
        if steps:
            self.then(*steps)
        result = self.run(request)
        assert result.error is None, result.error
        return result

    def revealed(self, sql: str) -> list[tuple[Any, ...]]:
        reader = Reader(ring_of(self.folder)())
        return [tuple(map(reader.value, each)) for each in self.query(sql)]

    def rotate(self, kid: str) -> Reencrypted:
        keys = ring_of(self.folder)()
        (self.folder / "kids").write_text(json.dumps([*keys.kids, kid]))
        warehouse = open_warehouse(self.warehouse_url, self.project.state)
        done = reencrypt(warehouse, ring_of(self.folder)(), ["tally"], self.project.state, NOW)
        publish_version(warehouse)
        return done


def ring_of(folder: Path) -> Any:
    file = folder / "kids"
    return lambda: Ring(json.loads(file.read_text())) if file.exists() else Ring()


@pytest.fixture
def ringed(tmp_path: Path, warehouse_url: str | None) -> Ringed:
    project = Ringed(tmp_path, warehouse_url)
    project.declare(f"{{fed: {ALL}, scanned: {{encrypt: [label, tags]}}}}")
    return project


def everywhere(tally: Tally) -> Iterator[tuple[str, bytes]]:
    """Yield all that was written: files, also unpacked, and the rows of every table."""
    yield from written(tally.project.state)
    with open_warehouse(tally.warehouse_url, tally.project.state).published() as session:
        yield from stored_values(session)


def odd(number: int) -> dict[str, Any]:
    """Return a record that can't become a row; it quotes a value in its reason."""
    value = PLANTED["label"][number]
    return {
        "do": "quarantine",
        "stream": "fed",
        "key": f"{value} {number}",
        "reason": f"odd: '{value}'",
        "record": value,
    }


def test_the_search_finds_values_in_every_form(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", *planted_rows()))
    assert tally.run().status == "loaded"
    seen = places(everywhere(tally))
    for value in needles():
        assert any(place.endswith(f": {value}") for place in seen), value
    for value in PLANTED["label"]:
        assert set(places([("gzip", packed(value))])) == {f"gzip: {value}"}


def test_values_are_nowhere_and_come_back_in_their_types(ringed: Ringed) -> None:
    ringed.load(rows("fed", *planted_rows()), odd(0))
    ringed.load(rows("fed", {**planted_rows()[3], "label": PLANTED["label"][4]}), odd(1))
    assert places(everywhere(ringed)) == []
    listed = ", ".join(PLANTED)
    actual = ringed.revealed(f"SELECT {listed} FROM tally.fed WHERE id = 1")
    first = {**planted_rows()[1]}
    times = {"seen_at": datetime.fromisoformat, "wall_clock": datetime.fromisoformat, "on_day": date.fromisoformat}
    wanted = tuple(times[name](first[name]) if name in times else first[name] for name in PLANTED)
    assert tuple(json.loads(v) if n == "tags" else v for n, v in zip(PLANTED, actual[0], strict=True)) == wanted
    assert len(ringed.query("SELECT 1 FROM tally.fed_history WHERE id = 3")) == 2
    records = ringed.revealed("SELECT record FROM leat.quarantine ORDER BY 1")
    assert sorted(record for (record,) in records) == sorted(PLANTED["label"][:2])


@pytest.mark.parametrize("phase", ["landed", "committing", "applied"])
def test_a_killed_run_leaves_no_value_either(tmp_path: Path, phase: str) -> None:
    ringed = Ringed(tmp_path)
    ringed.declare(f"{{fed: {ALL}}}")
    ringed.load(rows("fed", *planted_rows()[:2]))
    ringed.then(rows("fed", *planted_rows()))
    assert run_to_end(ringed, Point("observe", phase)) is None
    assert places(written(ringed.project.state)) == []
    ringed.load()
    assert ringed.query("SELECT count(*) FROM tally.fed") == [(len(planted_rows()),)]


def test_what_has_not_changed_is_not_written_again(ringed: Ringed) -> None:
    everything = [rows("scanned", *planted_rows()), full_scan("scanned")]
    ringed.load(*everything)
    again = ringed.load(*everything)
    assert [(r.inserted, r.updated, r.deleted) for r in again.streams if r.stream == "scanned"] == [(0, 0, 0)]
    changed = [{**planted_rows()[0], "label": "another"}, *planted_rows()[1:]]
    third = ringed.load(rows("scanned", *changed), full_scan("scanned"))
    assert [(r.inserted, r.updated, r.deleted) for r in third.streams if r.stream == "scanned"] == [(0, 1, 0)]
    tokens = {token for (token,) in ringed.query("SELECT label FROM tally.scanned")}
    assert len(tokens) == len(planted_rows()), "equal values differ where they aren't joined"


def test_joined_columns_are_joined_and_rows_are_found_by_them(ringed: Ringed) -> None:
    joined = "{encrypt: [label], joined: [label]}"
    ringed.declare(f"{{fed: {joined}, scanned: {joined}, kept: {{encrypt: [shelf, label]}}}}")
    one, two = PLANTED["label"][:2]
    ringed.load(rows("fed", row(1, one), row(2, two), row(3, one)), rows("scanned", row(7, one, revision=1)),
                rows("kept", row(1, "x", shelf=one), row(1, "x", shelf=two)))  # fmt: skip
    joins = "SELECT f.id FROM tally.fed AS f JOIN tally.scanned AS s ON s.label = f.label ORDER BY 1"
    assert ringed.query(joins) == [(1,), (3,)]
    keys = "SELECT f.id FROM tally.fed AS f JOIN tally.kept AS k ON k.shelf = f.label ORDER BY 1"
    assert ringed.query(keys) == [(1,), (2,), (3,)]
    result = ringed.load(delete("fed", label=one), rows("kept", row(1, "y", shelf=one)))
    assert {r.stream: (r.inserted, r.updated, r.deleted) for r in result.streams} == {
        "fed": (0, 0, 2), "scanned": (0, 0, 0), "kept": (0, 1, 0)}  # fmt: skip
    ringed.declare("{fed: {encrypt: [label]}}")
    assert "other columns are encrypted than before" in str(ringed.run().error)
    said = str(ringed.run(FED).error)  # the driver names rows by the column
    assert "write `joined: [label]` for the stream, then run `leat reset tally --stream fed`" in said


def test_encrypting_and_decrypting_a_column_takes_a_reset(ringed: Ringed) -> None:
    ringed.declare("{fed: {history: true}}")
    ringed.load(rows("fed", *planted_rows()))
    ringed.declare(f"{{fed: {ALL}}}")
    error = str(ringed.run().error)
    assert "other columns are encrypted than before" in error
    assert "leat reset tally --stream fed" in error
    ringed.load(request=FED)
    assert places(everywhere(ringed)) == []
    ringed.declare("{fed: {history: true}}")
    ringed.load(request=FED)
    assert ringed.query("SELECT count(*) FROM tally.fed WHERE label = 'Zoë Brännström-Ngô'") == [(1,)]


def test_another_key_is_used_once_everything_has_it(ringed: Ringed) -> None:
    ringed.load(rows("fed", *planted_rows()), rows("scanned", *planted_rows()), odd(2))
    before = ringed.revealed(f"SELECT {EVERY} FROM tally.fed ORDER BY id")
    (ringed.folder / "kids").write_text('["k1", "k2"]')
    ringed.load(rows("fed", *planted_rows()[:1]))
    assert not any("leat1:k2:" in str(each) for each in ringed.query("SELECT label FROM tally.fed"))
    done = ringed.rotate("k3")
    assert (done.kid, done.values > 40) == ("k3", True)
    (ringed.folder / "kids").write_text('["k3"]')  # the old keys are gone
    assert ringed.revealed(f"SELECT {EVERY} FROM tally.fed ORDER BY id") == before
    assert all(TOKEN.search(record) for (record,) in ringed.query("SELECT record FROM leat.quarantine"))
    again = ringed.load(rows("fed", *planted_rows()), rows("scanned", *planted_rows()))
    assert all(not r.updated and not r.inserted for r in again.streams), "the same values are the same rows"
    assert b"leat1:k1:" not in b"".join(content for _, content in everywhere(ringed))
    assert ringed.rotate("k3") == Reencrypted(0, 0, "k3")


def test_another_key_lets_values_of_an_earlier_version_say_what_they_are_of(ringed: Ringed) -> None:
    """Until then loads go on without, so that rows that haven't changed are the same."""
    fed = f"{{history: true, encrypt: [{EVERY}], joined: [shelf], max_quarantine_share: 1}}"
    ringed.declare(f"{{fed: {fed}, scanned: {{encrypt: [label]}}}}")
    ringed.load(rows("scanned", row(77, "another")))
    warehouse = open_warehouse(ringed.warehouse_url, ringed.project.state)
    with warehouse.transaction() as session:
        session.execute("UPDATE leat.column_key SET binds = NULL")
    ringed.load(rows("fed", *planted_rows()), odd(2), request=FED)
    with warehouse.transaction() as session:  # as a model has it, and rows of the past that are no more
        session.execute("CREATE TABLE tally.made AS SELECT label || ', ' || shelf AS said FROM tally.fed WHERE id = 1")
        session.execute("DELETE FROM tally.fed WHERE id = 0")
    publish_version(warehouse)
    before = ringed.revealed(f"SELECT {EVERY} FROM tally.fed_history ORDER BY id")
    assert origins(ringed) == {None, JOINED}
    ringed.rotate("k2")
    assert ringed.revealed(f"SELECT {EVERY} FROM tally.fed_history ORDER BY id") == before
    of_columns = {origin_of("tally", "fed", name) for name in PLANTED if name != "shelf"}
    assert origins(ringed) == {JOINED, origin_of("tally", "fed", ""), *of_columns}
    again = ringed.load(rows("fed", *planted_rows()))
    changes = [(r.inserted, r.updated) for r in again.streams if r.stream == "fed"]
    assert changes == [(1, 0)], "the row that was deleted by hand, and no other"


def origins(ringed: Ringed) -> set[bytes | None]:
    """Return what all encrypted values in tables say they are of."""
    reader = Reader(ring_of(ringed.folder)())
    with open_warehouse(ringed.warehouse_url, ringed.project.state).published() as session:
        texts = [
            text
            for sql in ("SELECT {} FROM tally.fed", "SELECT {} FROM tally.fed_history")
            for row in session.execute(sql.format(EVERY))
            for text in row
        ] + [text for sql in ("SELECT said FROM tally.made", "SELECT record FROM leat.quarantine")
             for (text,) in session.execute(sql)]  # fmt: skip
    return {reader.with_origin(match)[1] for text in texts for match in TOKEN.finditer(str(text))}


def test_a_change_of_keys_that_is_killed_changes_nothing(ringed: Ringed) -> None:
    ringed.load(rows("fed", *planted_rows()))
    before = ringed.query("SELECT label FROM tally.fed ORDER BY id")
    (ringed.folder / "kids").write_text('["other"]')
    with pytest.raises(CellError, match=r"key k1, which this project doesn't have\. Next: "):
        ringed.rotate("k2")
    assert ringed.query("SELECT label FROM tally.fed ORDER BY id") == before
    assert ringed.query("SELECT kid FROM leat.column_key") == [("k1",)]
    ringed.then(rows("fed", row(77, "new")))
    assert "encrypted with the key k1, which this project doesn't have" in str(ringed.run().error)
    (ringed.folder / "kids").unlink()
    ringed.load()


def test_without_keys_nothing_is_landed(tmp_path: Path) -> None:
    tally = Tally(tmp_path)
    tally.declare(f"{{fed: {ALL}}}")
    tally.then(rows("fed", *planted_rows()))
    assert "this project has no keys" in str(tally.run().error)
    assert places(written(tally.project.state)) == []


KINDS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(),
    "json": st.text(max_size=50).map(lambda text: json.dumps({"a": text})),
    "integer": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "timestamp": st.datetimes(timezones=st.just(UTC)),
    "datetime": st.datetimes(),
    "date": st.dates(),
    "decimal(38,6)": st.decimals(allow_nan=False, allow_infinity=False, places=6),
}
VALUES = st.one_of([values.map(lambda value, kind=kind: (kind, value)) for kind, values in KINDS.items()])  # type: ignore[misc]


@examples()
@given(VALUES, st.binary(max_size=40))
def test_every_value_comes_back(typed: tuple[str, Any], place: bytes) -> None:
    kind, value = typed
    cipher, reader = Cipher(key_named("k1"), b"mask"), Reader(Ring())
    for token in (cipher.joined(kind, value), cipher.of_row(place, kind, value, ORIGIN)):
        assert TOKEN.fullmatch(token)
        for written_as in (token, token.upper(), token.lower()):
            back = reader.value(written_as)
            assert (back, type(back)) == (value, type(value) if kind != "decimal(38,6)" else Decimal)
        assert holds_cell(f"x {token} y")
        assert not holds_cell(placeholder({"a": [f"x {token} y"]}))
    assert cipher.joined(kind, value) == Cipher(key_named("k1")).joined(kind, value)
    assert cipher.of_row(place, kind, value, ORIGIN) == cipher.of_row(place, kind, value, ORIGIN)
    assert cipher.of_row(place, kind, value, ORIGIN) != cipher.of_row(place + b"x", kind, value, ORIGIN)


@examples(0.5)
@given(st.text(), st.integers(0, 10_000), st.booleans())
def test_a_cell_that_is_cut_or_changed_is_refused(value: str, at: int, joined: bool) -> None:
    cipher = Cipher(key_named("k1"), b"mask")
    token = cipher.joined("string", value) if joined else cipher.of_row(b"place", "string", value, ORIGIN)
    head, _, digits = token.rpartition(":")
    position = at % len(digits)
    other = "0" if digits[position] != "0" else "1"
    for broken in (digits[:position] + other + digits[position + 1 :], digits[:-1], digits[2:], digits + "00"):
        if TOKEN.fullmatch(text := f"{head}:{broken}"):  # else it is too short to be taken for a cell
            with pytest.raises(CellError, match=r"k1 isn't intact.*Next: "):
                Reader(Ring()).value(text)
    with pytest.raises(CellError, match="isn't intact"):
        Reader(Ring()).value(token.replace(":d:", ":r:") if joined else token.replace(":r:", ":d:"))


def test_a_key_of_the_same_name_is_refused_and_a_text_around_a_cell_stays() -> None:
    other = key_named("k1", "quite another")
    cipher = Cipher(other, b"mask")
    assert "quite" not in repr(other)
    with pytest.raises(CellError, match="isn't intact"):
        Reader(Ring()).value(cipher.joined("string", "a"))
    mine = Cipher(key_named("k1"), b"mask")
    day = mine.of_row(b"", "date", date(2026, 1, 2), ORIGIN)
    text = f"{mine.joined('string', 'Ana')} {day}, {mine.joined('integer', 7)}"
    assert Reader(Ring()).value({"a": [text, 1]}) == {"a": ["Ana 2026-01-02, 7", 1]}
    assert Reader(Ring()).value("leat1: is no cell") == "leat1: is no cell"
