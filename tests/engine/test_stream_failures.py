"""A stream that fails leaves its rows as they were and the others are loaded, on both engines."""

from __future__ import annotations

from typing import Any

import pytest

from leat.pipelines.load.results import CheckResult, IntegrationResult
from tests.kit.project import Tally, full_scan, labels, row, rows


def failed(stream: str, **where: Any) -> dict[str, Any]:
    return {"do": "failed", "stream": stream, "where": where}


def bad(stream: str, *keys: str, reason: str = "column weight takes float, not str") -> list[dict[str, Any]]:
    return [{"do": "quarantine", "stream": stream, "key": k, "reason": reason, "record": "{}"} for k in keys]


def errors(result: IntegrationResult) -> dict[str, str]:
    return {stream.stream: stream.error for stream in result.streams if stream.error}


def heavy(session: Any, _declaration: Any) -> tuple[CheckResult, ...]:
    """Check that nothing in fed is heavier than 10."""
    count = session.execute("SELECT count(*) FROM tally.fed WHERE weight > 10 AND _deleted_at IS NULL")[0][0]
    return (CheckResult("range_weight", "tally.fed", "error", not count, count, f"{count} rows broke it"),)


def test_a_stream_that_the_driver_failed_leaves_its_rows_and_the_others_are_loaded(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "old")), rows("scanned", row(1, "old")))
    assert tally.run().status == "loaded"
    tally.then(rows("fed", row(1, "new"), row(2, "new")), failed("fed"), rows("scanned", row(1, "new")))
    result = tally.run()
    assert result.status == "failed"
    assert result.error_type == "Rejected"
    assert errors(result).keys() == {"fed"}
    assert "Next: take the step out" in errors(result)["fed"]
    assert "1 stream failed" in str(result.error)
    assert labels(tally, "fed") == {("a", 1): "old"}
    assert labels(tally, "scanned") == {("a", 1): "new"}
    answer = tally.query("SELECT stream, updated, error IS NULL FROM leat.load_streams ORDER BY load_id, stream")
    assert answer[-3:] == [("fed", 0, False), ("kept", 0, True), ("scanned", 1, True)]


def test_a_stream_that_failed_in_the_first_load_is_read_from_the_start_by_the_next_run(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one")), failed("fed"), rows("scanned", row(1, "one")))
    assert tally.run().status == "failed"
    assert labels(tally, "scanned") == {("a", 1): "one"}
    tally.script.write_text("")
    tally.then(rows("fed", row(1, "one"), row(2, "two")), rows("scanned", row(1, "one")))
    result = tally.run()
    assert (result.status, result.error) == ("loaded", None)
    assert labels(tally, "fed") == {("a", 1): "one", ("a", 2): "two"}
    assert tally.run().status == "nothing_new"


def test_of_a_stream_of_which_a_part_failed_the_rest_is_loaded_and_the_part_stays(tally: Tally) -> None:
    tally.then(rows("scanned", row(1, "old", "a"), row(2, "old", "b")))
    tally.run()
    tally.then(failed("scanned", shelf="b"), failed("scanned", shelf="c"), rows("scanned", row(3, "new", "a")),
               full_scan("scanned"), full_scan("scanned", shelf="a"))  # fmt: skip
    result = tally.run()
    assert result.status == "failed"
    assert "2 parts of a stream could not be read" in str(result.error)
    assert labels(tally, "scanned") == {("a", 3): "new", ("b", 2): "old"}
    tally.then(rows("scanned", row(2, "new", "b")))
    assert tally.run().status == "loaded"
    assert labels(tally, "scanned") == {("a", 3): "new", ("b", 2): "new"}


def test_a_stream_whose_own_check_fails_is_left_out_and_read_from_the_start_later(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "light", weight=1.0)), rows("scanned", row(1, "one")))
    assert tally.run(audit=heavy).status == "loaded"
    tally.then(rows("fed", row(2, "heavy", weight=99.0)), rows("scanned", row(2, "two")))
    result = tally.run(audit=heavy)
    assert result.status == "failed"
    assert errors(result) == {"fed": "tally.fed: range_weight failed; readers stay on the old rows"}
    assert labels(tally, "fed") == {("a", 1): "light"}
    assert labels(tally, "scanned") == {("a", 1): "one", ("a", 2): "two"}
    assert tally.run(audit=heavy).status == "blocked", "nothing else is new"
    assert tally.run().status == "loaded"
    assert labels(tally, "fed") == {("a", 1): "light", ("a", 2): "heavy"}


def test_when_checks_leave_nothing_to_apply_the_load_is_blocked_and_the_cursor_stays(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "heavy", weight=99.0)))
    for _ in range(2):
        result = tally.run(audit=heavy)
        assert (result.status, result.error_type) == ("blocked", "Blocked")
    assert tally.run().status == "loaded"
    assert labels(tally, "fed") == {("a", 1): "heavy"}


def test_a_full_scan_that_would_delete_too_much_fails_its_stream_alone(tally: Tally) -> None:
    tally.then(rows("scanned", *(row(i, "x") for i in range(20))))
    tally.run()
    tally.then(rows("fed", row(1, "new")), rows("scanned", row(1, "new")), full_scan("scanned"))
    result = tally.run()
    assert result.error_type == "SuspiciousDelete"
    assert len(labels(tally, "scanned")) == 20
    assert labels(tally, "fed") == {("a", 1): "new"}


def test_a_stream_that_is_wholly_quarantined_fails_and_its_records_are_listed(tally: Tally) -> None:
    tally.then(*bad("fed", "1", "2"), rows("scanned", row(1, "one")))
    result = tally.run()
    assert result.status == "failed"
    assert "2 of 2 records are quarantined" in errors(result)["fed"]
    assert "column weight takes float, not str (2)" in errors(result)["fed"]
    assert tally.query("SELECT record_key FROM leat.quarantine ORDER BY 1") == [("1",), ("2",)]
    assert labels(tally, "scanned") == {("a", 1): "one"}
    assert tally.run().status == "failed", "it fails until it is mended"


@pytest.mark.parametrize(("good", "broken", "streams", "status"), [
    (40, 10, "{}", "loaded"),
    (40, 11, "{}", "failed"),
    (40, 11, "{fed: {max_quarantine_share: 0.5}}", "loaded"),
    (3, 2, "{}", "loaded"),
    (0, 2, "{fed: {max_quarantine_share: 1}}", "loaded"),
])  # fmt: skip
def test_the_share_of_quarantined_records_decides(
    tally: Tally, good: int, broken: int, streams: str, status: str
) -> None:
    tally.declare(streams)
    tally.then(rows("fed", *(row(i, "x") for i in range(good))), *bad("fed", *(f"b{i}" for i in range(broken))))
    assert tally.run().status == status


def test_why_a_listing_was_complete_is_in_the_load(tally: Tally) -> None:
    tally.then(
        rows("fed", row(1)), {"do": "listed", "stream": "fed", "because": "no next link"},
        rows("scanned", row(1)), {**full_scan("scanned"), "because": "total of 1 reached"},
    )  # fmt: skip
    tally.run()
    result = dict(tally.query("SELECT stream, complete FROM leat.load_streams"))
    assert result == {"fed": "no next link", "scanned": "total of 1 reached", "kept": None}


def test_a_listing_that_brings_nothing_is_nothing_new(tally: Tally) -> None:
    tally.then(rows("fed", row(1)))
    tally.run()
    tally.then({"do": "listed", "stream": "fed", "because": "empty page"})
    assert tally.run().status == "nothing_new"


def test_a_stream_that_was_not_selected_while_the_cursor_moved_is_read_from_the_start(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one")), rows("scanned", row(1, "one")))
    tally.run()
    tally.declare("{fed: {selected: false}}")
    tally.then(rows("fed", row(2, "two")), rows("scanned", row(2, "two")))
    tally.run()
    tally.declare()
    tally.then(rows("fed", row(3, "three")))
    assert tally.run().status == "loaded"
    assert labels(tally, "fed") == {("a", 1): "one", ("a", 2): "two", ("a", 3): "three"}


def test_a_change_of_one_shape_that_would_lose_values_fails_that_stream_alone(tally: Tally) -> None:
    tally.then(rows("fed", row(1, "one")), rows("scanned", row(1, "one")))
    tally.run()
    tally.declare("{fed: {mask: [label]}}")
    tally.then(rows("fed", row(2, "two")), rows("scanned", row(2, "two")))
    result = tally.run()
    assert errors(result).keys() == {"fed"}
    assert result.error_type == "SchemaChange"
    assert labels(tally, "fed") == {("a", 1): "one"}
    assert labels(tally, "scanned") == {("a", 1): "one", ("a", 2): "two"}
