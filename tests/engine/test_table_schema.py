"""How tables get from the shape they have to the one that is declared, on both engines."""

from __future__ import annotations

import json
import random
import string
from pathlib import Path
from typing import Any

import pytest

from leat.pipelines.load.engine import Request
from leat.pipelines.load.results import IntegrationResult
from leat.warehouse.connect import open_warehouse
from leat.warehouse.publication import publish_version
from tests.kit.child import Point, Reader, run_to_end
from tests.kit.project import Tally, delete, everything_written, full_scan, labels, row, rows

ALL = Request(reset=frozenset({"fed", "scanned", "kept"}))
FED = Request(reset=frozenset({"fed"}))
WITH_COLOUR = '(replace(FED, columns=(*COLUMNS, Column("colour", "string", "Its colour."))), SCANNED, LASTING)'
RETYPED = "({stream}, SCANNED, LASTING)".format(
    stream='replace(FED, columns=tuple(replace(c, type="{type}") if c.name == "{column}" else c for c in COLUMNS))'
)


def columns(tally: Tally, table: str) -> list[str]:
    sql = f"SELECT column_name FROM information_schema.columns WHERE table_schema = 'tally' AND table_name = '{table}'"
    return [name for (name,) in tally.query(sql)]


def cursor(tally: Tally) -> Any:
    ((value,),) = tally.query("SELECT cursor FROM leat.cursors")
    return json.loads(value) if isinstance(value, str) else value


def kinds(tally: Tally) -> list[tuple[str, str]]:
    """Return kind and stream of what the loads did, in order."""
    return tally.query(
        "SELECT l.kind, s.stream FROM leat.loads AS l JOIN leat.load_streams AS s ON s.load_id = l.load_id "
        "WHERE s.inserted + s.updated + s.deleted > 0 ORDER BY l.load_id, s.stream"
    )


def stopped(result: IntegrationResult, *words: str) -> None:
    assert (result.status, result.error_type) == ("failed", "SchemaChange"), result.error
    assert all(text in str(result.error) for text in (*words, "`leat reset tally --stream fed`")), result.error


def fine(result: IntegrationResult) -> None:
    assert result.status in ("loaded", "nothing_new"), result.error


def test_a_new_column_is_filled_for_old_rows_too(tally: Tally) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", row(1, "one", colour="red"), row(2, "two")), rows("kept", row(1, "k", colour="blue")))
    tally.then(delete("fed", id=2))
    fine(tally.run())
    tally.declare("{fed: {history: true}}", version=WITH_COLOUR)
    fine(tally.run())
    sql = "SELECT id, colour, extra, _deleted_at IS NULL FROM tally.fed ORDER BY id"
    assert tally.query(sql) == [(1, "red", None, True)]
    assert tally.query("SELECT colour, valid_to IS NULL FROM tally.fed_history ORDER BY valid_from") == [
        (None, False),
        ("red", True),
    ]
    assert kinds(tally) == [("reset", "fed"), ("reset", "kept"), ("reset", "fed")], "others are left alone"
    assert cursor(tally) == {"line": 2}
    before = tally.query("SELECT * FROM leat.loads")
    assert tally.run().status == "nothing_new"
    assert tally.query("SELECT * FROM leat.loads") == before, "it is filled once"


def test_a_new_column_and_news_come_in_one_run(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one", colour="red")))
    fine(tally.run())
    tally.then(rows("fed", row(2, "two", colour="blue")), rows("kept", row(1, "k")))
    tally.declare(version=WITH_COLOUR)
    fine(tally.run())
    assert tally.query("SELECT id, colour FROM tally.fed ORDER BY id") == [(1, "red"), (2, "blue")]
    assert labels(tally, "kept") == {("a", 1): "k"}
    assert cursor(tally) == {"line": 2}


def test_a_higher_schema_version_reads_the_stream_again(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one")))
    fine(tally.run())
    tally.then(rows("fed", row(1, "one")))
    tally.declare(version="(replace(FED, schema_version=2), SCANNED, LASTING)")
    result = tally.run()
    assert result.status == "nothing_new"
    assert cursor(tally) == {"line": 2}


def test_a_column_left_out_while_it_holds_values_stops_until_reset(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one"), row(2, None)), rows("kept", row(1, "k")))
    fine(tally.run())
    tally.declare("{fed: {exclude: [label]}}")
    stopped(tally.run(), "column label is no longer loaded", "fed holds 1 values of it")
    assert labels(tally, "fed") == {("a", 1): "one", ("a", 2): None}
    fine(tally.run(FED))
    assert "label" not in columns(tally, "fed")
    assert tally.query("SELECT id FROM tally.fed ORDER BY id") == [(1,), (2,)]
    assert labels(tally, "kept") == {("a", 1): "k"}
    tally.declare()
    fine(tally.run())
    assert labels(tally, "fed") == {("a", 1): "one", ("a", 2): None}, "back in, and filled"


def test_an_empty_column_left_out_is_dropped(tally: Tally) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", row(1, "one")))
    fine(tally.run())
    tally.declare("{fed: {history: true, exclude: [weight, tags]}}")
    tally.then(rows("fed", row(2, "two", weight=1.0)))
    fine(tally.run())
    for table in ("fed", "fed_history"):
        assert not {"weight", "tags"} & set(columns(tally, table))
    assert labels(tally, "fed") == {("a", 1): "one", ("a", 2): "two"}


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [("revision", 7, "7"), ("sound", True, "true"), ("on_day", "2026-01-02", "2026-01-02"), ("tags", [1], "[1]")],
)
def test_a_type_is_widened_in_place(tally: Tally, column: str, value: Any, text: str) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", row(1, "one", **{column: value}), row(2)))
    fine(tally.run())
    tally.declare("{fed: {history: true}}", version=RETYPED.format(column=column, type="string"))
    fine(tally.run())
    for table in ("fed", "fed_history"):
        assert tally.query(f"SELECT {column} FROM tally.{table} ORDER BY id") == [(text,), (None,)]
    tally.then(rows("fed", row(3, **{column: "word"})))


@pytest.mark.parametrize(("column", "value", "kind"), [("label", "12", "integer"), ("weight", 1.5, "integer")])
def test_a_type_that_would_lose_values_stops_until_reset(tally: Tally, column: str, value: Any, kind: str) -> None:
    tally.then(rows("fed", row(1, **{column: value})))
    fine(tally.run())
    tally.declare(version=RETYPED.format(column=column, type=kind))
    stopped(tally.run(), f"column {column} changes", f"to {kind}", "fed holds 1")
    assert tally.query(f"SELECT {column} FROM tally.fed") == [(value,)]
    tally.script.write_text("")
    tally.then(rows("fed", row(1, **{column: 12})))
    fine(tally.run(FED))
    assert tally.query(f"SELECT {column} FROM tally.fed") == [(12,)]


def test_an_empty_column_changes_to_any_type(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one")))
    fine(tally.run())
    tally.declare(version=RETYPED.format(column="weight", type="date"))
    fine(tally.run())
    tally.then(rows("fed", row(2, "two")))
    fine(tally.run())
    assert labels(tally, "fed") == {("a", 1): "one", ("a", 2): "two"}


def test_a_changed_key_stops_until_reset(tally: Tally) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", row(1, "one", shelf="a"), row(1, "uno", shelf="b")))
    fine(tally.run())
    tally.declare("{fed: {history: true}}", version='(replace(FED, key=("id",)), SCANNED, LASTING)')
    stopped(tally.run(), "its key changed")
    assert len(labels(tally, "fed")) == 2
    fine(tally.run(FED))
    assert tally.query("SELECT id, label FROM tally.fed") == [(1, "uno")]
    assert tally.query("SELECT id, label, valid_to FROM tally.fed_history") == [(1, "uno", None)]
    tally.then(rows("fed", row(1, "eins", shelf="c")))
    fine(tally.run())
    assert tally.query("SELECT id, label FROM tally.fed") == [(1, "eins")]


def test_a_changed_key_of_an_empty_table_needs_no_reset(tally: Tally) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(rows("kept", row(1, "k")))
    fine(tally.run())
    tally.declare("{fed: {history: true}}", version='(replace(FED, key=("id",)), SCANNED, LASTING)')
    tally.then(rows("fed", row(1, "one", shelf="a"), row(1, "uno", shelf="b")))
    fine(tally.run())
    assert tally.query("SELECT id, label FROM tally.fed") == [(1, "uno")]
    assert tally.query("SELECT id, label FROM tally.fed_history") == [(1, "uno")]


CHANCE = random.Random(7)  # noqa: S311
SECRETS = ["".join(CHANCE.choices(string.ascii_letters + string.digits, k=6000)) for _ in range(40)]


def test_masking_stops_until_reset_which_leaves_no_value_anywhere(tally: Tally) -> None:
    tally.declare("{fed: {history: true}}")
    odd = {"do": "quarantine", "stream": "fed", "key": "1", "reason": "odd", "record": f"label={SECRETS[0]}"}
    tally.then(rows("fed", *(row(i, secret) for i, secret in enumerate(SECRETS)), row(999, None)), odd)
    tally.then(rows("fed", row(0, SECRETS[1])))
    fine(tally.run())
    assert leaks(tally), "the search below would find them"
    tally.declare("{fed: {history: true, mask: true}}")
    stopped(tally.run(), "other columns are masked than before")
    fine(tally.run(FED))
    values = dict(tally.query("SELECT id, label FROM tally.fed WHERE label IS NOT NULL"))
    assert values[0] == values[1], "equal values stay equal"
    assert len(set(values.values())) == len(SECRETS) - 1
    assert {len(value) for value in values.values()} == {64}
    assert tally.query("SELECT count(*) FROM tally.fed_history WHERE valid_to IS NOT NULL") == [(0,)]
    assert not leaks(tally)
    tally.then(rows("fed", row(1000, SECRETS[3])), delete("fed", label=SECRETS[2]), odd)
    result = tally.run()
    fine(result)
    assert [r.deleted for r in result.streams if r.stream == "fed"] == [1], "a delete by a masked value finds its row"
    assert tally.query("SELECT count(DISTINCT label) FROM tally.fed WHERE id IN (1000, 3)") == [(1,)]
    assert tally.query("SELECT count(*) FROM leat.quarantine") == [(1,)]
    assert not leaks(tally)


KILLS = [Point("observe", phase) for phase in ("landed", "committing", "applied", "publishing")]
OF_THE_FILE = [
    Point("audit", r"os.rename warehouse\.fresh"),
    Point("audit", "os.remove forget"),
    Point("sql", "COPY FROM"),
]


@pytest.mark.parametrize("point", KILLS, ids=str)
def test_a_reset_that_is_killed_forgets_all_the_same(tally: Tally, point: Point) -> None:
    killed_while_forgetting(tally, point)


@pytest.mark.parametrize("point", OF_THE_FILE, ids=str)
def test_a_rewriting_that_is_killed_forgets_all_the_same(tmp_path: Path, point: Point) -> None:
    killed_while_forgetting(Tally(tmp_path), point)


def killed_while_forgetting(tally: Tally, point: Point) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", *(row(i, secret) for i, secret in enumerate(SECRETS))), rows("kept", row(1, "k")))
    fine(tally.run())
    tally.declare("{fed: {history: true, mask: true}}")
    assert run_to_end(tally, point, FED) is None
    fine(tally.run())
    assert {len(str(label)) for label in labels(tally, "fed").values()} == {64}
    assert labels(tally, "kept") == {("a", 1): "k"}
    assert not leaks(tally)


def leaks(tally: Tally) -> bool:
    """Return whether a secret is in any file below the state folder, or in any row of any table."""
    needles = [secret[1000:1030] for secret in SECRETS]
    files = everything_written(tally.folder / ".leat")
    if any(needle.encode() in content for content in files for needle in needles):
        return True
    sql = "SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema IN ('tally', 'leat')"
    with open_warehouse(tally.warehouse_url, tally.project.state).published() as session:
        texts = [repr(session.execute(f'SELECT * FROM "{schema}"."{table}"')) for schema, table in session.execute(sql)]
    return any(needle in text for text in texts for needle in needles)


def test_a_stream_selected_later_is_filled_without_moving_the_cursor(tally: Tally) -> None:
    tally.declare("{kept: {selected: false}}")
    tally.then(rows("fed", row(1, "one")), rows("kept", row(1, "k")))
    fine(tally.run())
    assert columns(tally, "kept") == []
    tally.then(rows("fed", row(1, "uno")), rows("kept", row(2, "k")))
    fine(tally.run())
    touched = tally.query("SELECT _load_id FROM tally.fed")
    tally.declare()
    fine(tally.run())
    assert labels(tally, "kept") == {("a", 1): "k", ("a", 2): "k"}
    assert tally.query("SELECT _load_id FROM tally.fed") == touched
    assert cursor(tally) == {"line": 2}
    assert kinds(tally)[-1] == ("reset", "kept")


def test_a_stream_left_out_leaves_its_table(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one")), rows("kept", row(1, "k")))
    fine(tally.run())
    tally.declare("{kept: {selected: false}}")
    tally.then(rows("fed", row(2, "two")), rows("kept", row(2, "k")))
    fine(tally.run())
    assert labels(tally, "kept") == {("a", 1): "k"}
    assert len(labels(tally, "fed")) == 2


def history(tally: Tally) -> list[tuple[Any, ...]]:
    sql = "SELECT id, label, valid_to IS NULL FROM tally.fed_history ORDER BY id, valid_from"
    return tally.query(sql)


def test_history_switched_on_later_begins_with_what_there_is(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one"), row(2, "two")), delete("fed", id=2))
    tally.then(rows("fed", row(3, "three")))
    fine(tally.run())
    tally.declare("{fed: {history: true}}")
    fine(tally.run())
    assert history(tally) == [(1, "one", True), (3, "three", True)], "at once, though nothing is new"
    tally.then(rows("fed", row(1, "uno")), delete("fed", id=3))
    fine(tally.run())
    assert history(tally) == [(1, "one", False), (1, "uno", True), (3, "three", False)]


def test_history_switched_off_and_on_again_has_no_stale_versions(tally: Tally) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", row(1, "one"), row(2, "two"), row(4, "four")))
    fine(tally.run())
    tally.declare()
    tally.then(rows("fed", row(1, "unseen"), row(3, "three")), delete("fed", id=2))
    fine(tally.run())
    tally.then(rows("fed", row(1, "uno")))
    fine(tally.run())
    tally.declare("{fed: {history: true}}")
    fine(tally.run())
    assert history(tally) == [
        (1, "one", False), (1, "uno", True), (2, "two", False), (3, "three", True), (4, "four", True)
    ]  # fmt: skip
    assert tally.query("SELECT count(*) FROM tally.fed_history WHERE valid_to < valid_from") == [(0,)]


def test_an_unchanged_declaration_writes_nothing(tally: Tally) -> None:
    tally.declare("{fed: {history: true}}")
    tally.then(rows("fed", row(1, "one")))
    fine(tally.run())
    tally.declare("{fed: {history: true, max_delete_share: 0.1}, kept: {history: true}}")
    fine(tally.run())
    engine = tally.engine()
    assert tally.run().status == "nothing_new"
    assert publish_version(engine.warehouse) is False


@pytest.mark.parametrize("change", ["mask: true", "exclude: [weight]", "mask: [tags]"])
def test_readers_see_no_gap_and_no_mix_during_a_reset(tally: Tally, change: str) -> None:
    tally.then(
        rows("fed", *(row(i, "old", weight=1.0, tags=[i]) for i in range(3000))),
        rows("scanned", *(row(i, "old") for i in range(3000))), full_scan("scanned"),
    )  # fmt: skip
    fine(tally.run())
    tally.script.write_text("")
    tally.then(
        rows("fed", *(row(i, "new") for i in range(3000))), rows("scanned", *(row(i, "new") for i in range(3000)))
    )
    tally.declare(f"{{fed: {{{change}}}}}")
    both = " UNION ALL ".join(
        f"SELECT '{stream}', count(*), count(DISTINCT label), min(label) = 'old' FROM tally.{stream}"
        for stream in ("fed", "scanned")
    )
    with Reader(tally, both) as reader:
        fine(tally.run(ALL))
    assert reader.seen.errors == []
    assert [sorted(answer) for answer in reader.seen.answers] == [
        [("fed", 3000, 1, old), ("scanned", 3000, 1, old)] for old in (True, False)
    ]


def test_a_reader_that_began_before_a_reset_still_sees_its_rows(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one")), rows("scanned", row(1, "one")))
    fine(tally.run())
    tally.declare("{fed: {mask: true, history: true}}")
    engine = tally.engine()
    with engine.warehouse.published() as session:
        assert session.execute("SELECT label FROM tally.scanned") == [("one",)]
        fine(tally.run(FED))
        if tally.warehouse_url == "ducklake":  # values that are masked from now on are removed at once
            with pytest.raises(Exception, match="unable to open database file"):
                session.execute("SELECT label FROM tally.fed")
            return
        assert session.execute("SELECT label FROM tally.fed") == [("one",)]
