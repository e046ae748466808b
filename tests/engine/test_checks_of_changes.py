"""Checks of streams look at what has changed since they held: their results are those of checks of all rows."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.pipelines.declare.declaration import Declaration
from leat.pipelines.load import state
from leat.pipelines.load.plan import RESET, SYNC
from leat.pipelines.load.results import CheckResult
from leat.quality.audit import audit
from leat.runs.subjects.erased_loads import ERASURE
from leat.sources.events import Delete, FullScan
from leat.warehouse.session import Session
from tests.engine.test_apply import opened, rows, thing
from tests.kit.examples import examples
from tests.kit.loads import Loads, declaration, planned

_CHECKS: list[dict[str, Any]] = [
    {"not_null": ["label"]},
    {"unique": ["label"], "severity": "warn"},
    {"unique": ["shelf", "revision"]},
    {"accepted_values": {"shelf": ["a", "b"]}},
    {"range": {"revision": {"min": 1, "max": 3}}},
    {"foreign_key": {"id": "kept.id"}},
    {"row_count": {"min": 1, "max": 4}},
]
_OTHERWISE = [
    {"range": {"revision": {"min": 2, "max": 3}}},
    {"accepted_values": {"shelf": ["a"]}},
    {"not_null": ["tags"]},
]
_STREAMS = ("fed", "scanned", "kept")
_one = st.builds(
    lambda shelf, id_, label, revision: thing(id_, label, shelf, revision=revision),
    st.sampled_from("abc"), st.integers(0, 5), st.sampled_from(["x", "y", None]), st.integers(0, 4),
)  # fmt: skip
_some = st.lists(_one, min_size=1, max_size=4)
_event = st.one_of(
    st.tuples(st.sampled_from(_STREAMS), _some),
    st.tuples(st.just("delete"), st.integers(0, 5)),
    st.tuples(st.just("scan"), _some),
)
_step = st.tuples(
    st.sampled_from(["load"] * 6 + ["reset", "erase", "otherwise", "purge"]), st.lists(_event, max_size=3)
)


def _declared(otherwise: bool) -> Declaration:
    checks = [*_OTHERWISE, *_CHECKS[:2]] if otherwise else _CHECKS
    return declaration({"fed": {"checks": checks}, "scanned": {"checks": checks[:5]}, "kept": {"checks": checks[:3]}})


def _all_rows(session: Session, declared: Declaration) -> Sequence[CheckResult]:
    """Return what checks of all rows say."""
    session.execute("UPDATE leat.checks SET version = NULL")
    return audit(session, declared, {"tally": declared})


def _take(loads: Loads, kind: str, events: Sequence[Any]) -> None:
    happened = []
    for what, value in events:
        if what == "delete":
            happened.append(Delete("fed", {"id": value}))
        elif what == "scan":
            happened += [rows("scanned", *value), FullScan("scanned", {})]
        else:
            happened.append(rows(what, *value))
    plan = planned(RESET if kind == "reset" else SYNC, frozenset(_STREAMS), any_share=True)
    loads.load(*happened, plan=replace(plan, declaration=loads.declaration))
    if kind in ("erase", "purge"):  # as `leat subject erase` and retention do it, in a load of their own
        changed = "UPDATE tally.fed SET label = NULL WHERE id < 2" if kind == "erase" else "DELETE FROM tally.kept"
        loads.session.execute(changed)
        load_id = f"{loads.landed[-1].load_id}1"
        stream = "fed" if kind == "erase" else "kept"
        recorded = (load_id, "tally", stream, 0, 1, 0, 0, 0, 0, 1, None, None)
        state.write_load(
            loads.session, load_id, "tally", ERASURE if kind == "erase" else "retention", (loads.at, loads.at)
        )
        state.insert(loads.session, "load_streams", [recorded])


@examples(0.3)
@given(steps=st.lists(_step, min_size=2, max_size=6))
def test_after_any_loads_the_results_are_those_of_all_rows(warehouse_url: str | None, steps: Sequence[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(warehouse_url) as session:
        loads = Loads(session, Path(folder), _declared(otherwise=False))
        loads.load(*(rows(stream, thing(1, "x", revision=1)) for stream in _STREAMS))
        for kind, events in steps:
            loads.declaration = _declared(otherwise=kind == "otherwise")
            _take(loads, kind, events)
            said = audit(session, loads.declaration, {"tally": loads.declaration})
            stored = session.execute("SELECT subject, check_name, version FROM leat.checks")
            assert said == _all_rows(session, loads.declaration)
            for subject, name, version in stored:  # the next step goes on from what the narrow checks have stored
                session.execute(
                    "UPDATE leat.checks SET version = ? WHERE subject = ? AND check_name = ?", (version, subject, name)
                )


@pytest.mark.parametrize("stream", ["fed", "kept"])
def test_rows_that_have_not_changed_are_not_looked_at(warehouse_url: str | None, stream: str) -> None:
    declared = _declared(otherwise=False)
    with tempfile.TemporaryDirectory() as folder, opened(warehouse_url) as session:
        loads = Loads(session, Path(folder), declared)
        loads.load(*(rows(each, thing(1, "x", revision=1)) for each in _STREAMS))
        assert all(result.ok for result in audit(session, declared, {"tally": declared}))
        session.execute(f"UPDATE tally.{stream} SET label = NULL")  # by somebody else: no load says so
        loads.load(rows("scanned", thing(1, "z", revision=2)))
        assert all(result.ok for result in audit(session, declared, {"tally": declared}))
        loads.load(rows(stream, thing(2, None, revision=2)))
        broken = {
            result.check: result.failing for result in audit(session, declared, {"tally": declared}) if not result.ok
        }
        assert broken["not_null_label"] == 1, "the row of the load, and not the other one"
