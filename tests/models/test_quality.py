"""Checks, rules and the ledger, on both engines, inside transactions that may still be rolled back."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.pipelines.declare.declaration import Check, Declaration
from leat.pipelines.declare.yaml_file import DeclarationError
from leat.pipelines.load.results import CheckResult
from leat.quality.audit import audit, audit_models
from leat.quality.checks import check_names, model_checks
from leat.quality.guard import TransactionLost
from leat.quality.ledger import acknowledge
from leat.quality.rule_files import Rule, load_rules
from leat.quality.rules import CANNOT_RUN, check_rules, run_rules
from leat.warehouse.session import Session, Warehouse
from tests.kit.engines import ENGINES
from tests.kit.examples import examples
from tests.kit.loaded import REPOSITORY, both, declare, load, utc, warehouse_of, write

NOW = utc(2026, 11, 20, 9)
HEADER = "/* ---\ntitle: No bad rows\nseverity: error\nowner: data\nkey: [commit]\nnext_step: Mend it.\n--- */\n"
SELECTS_AN_ODD_TEXT = (
    HEADER + "SELECT repository, \"commit\" FROM version_control.commits WHERE subject = 'it''s :bad {x} 100%'"
)
BAD = "it's :bad {x} 100%"


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    return warehouse_of(request.param, tmp_path, request)


def commit(name: str | None, **more: Any) -> dict[str, Any]:
    return {"repository": "app", "commit": name, "parent_count": 1, "author_email": "a@x.org", **more}


def declared(*checks: dict[str, Any], stream: str = "commits") -> dict[str, Declaration]:
    streams = {stream: {"checks": list(checks)}}
    return {**both(), "version_control": declare("version_control", streams)}


def audited(session: Session, declarations: Mapping[str, Declaration]) -> dict[str, CheckResult]:
    actual = audit(session, declarations["version_control"], declarations)
    return {result.check: result for result in actual if result.subject == "version_control.commits"}


def checked(warehouse: Warehouse, rows: Sequence[Mapping[str, Any]], *checks: dict[str, Any]) -> dict[str, CheckResult]:
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": rows}, NOW)
        return audited(session, declared(*checks))


# Checks.


def test_a_key_without_value_and_a_doubled_one_are_detected(warehouse: Warehouse) -> None:
    deleted = commit("c2", _deleted_at=NOW)
    good = checked(warehouse, [commit("c1"), commit("c2"), deleted, deleted])
    assert [(r.check, r.ok, r.severity) for r in good.values()] == [
        ("key_not_null", True, "error"),
        ("key_unique", True, "error"),
    ]
    bad = checked(warehouse, [commit("c1"), commit(None)])
    assert not bad["key_not_null"].ok
    assert bad["key_not_null"].failing == 1
    assert bad["key_not_null"].evidence == ({"repository": "app", "commit": None},)
    assert bad["key_unique"].failing == 2
    assert bad["key_unique"].evidence == ({"repository": "app", "commit": "c1"},) * 2
    assert bad["key_unique"].blocks


@pytest.mark.parametrize(
    ("check", "name", "good", "bad"),
    [
        ({"not_null": ["tree"]}, "not_null_tree", {"tree": "t"}, {"tree": None}),
        ({"unique": ["tree", "subject"]}, "unique_tree_subject", {"tree": "t"}, {"tree": "u", "subject": "s"}),
        ({"unique": "tree"}, "unique_tree", {"tree": None}, {"tree": "u"}),
        ({"accepted_values": {"tree": ["it's:x", "b"]}}, "accepted_values_tree", {"tree": "it's:x"}, {"tree": "z"}),
        ({"accepted_values": {"parent_count": [1, 2]}}, "accepted_values_parent_count", {}, {"parent_count": 3}),
        ({"range": {"parent_count": {"min": 0, "max": 16}}}, "range_parent_count", {}, {"parent_count": 17}),
        ({"range": {"parent_count": {"min": 0}}}, "range_parent_count", {"parent_count": None}, {"parent_count": -1}),
    ],
)  # fmt: skip
def test_each_kind_of_row_check_holds_and_fails(
    warehouse: Warehouse, check: dict[str, Any], name: str, good: dict[str, Any], bad: dict[str, Any]
) -> None:
    held = checked(warehouse, [commit("c1", **good), commit("c2", _deleted_at=NOW, **bad)], check)[name]
    assert (held.ok, held.failing, held.evidence) == (True, 0, ())
    failed = checked(warehouse, [commit("c3", **bad), commit("c4", **bad)], {**check, "severity": "warn"})[name]
    assert (failed.ok, failed.failing, failed.severity, failed.blocks) == (False, 2, "warn", False)
    assert [row["commit"] for row in failed.evidence] == ["c3", "c4"]
    assert next(iter(bad)) in failed.evidence[0]
    assert "2 rows broke it" in failed.detail


def test_row_count(warehouse: Warehouse) -> None:
    bounds = {"row_count": {"min": 2, "max": 2}}
    failed = checked(warehouse, [commit("c1")], bounds)["row_count"]
    assert (failed.ok, failed.failing) == (False, 0)
    assert failed.detail == "The number of rows is at least 2 and at most 2: there are 1 rows"
    assert checked(warehouse, [commit("c2"), commit("c3", _deleted_at=NOW)], bounds)["row_count"].ok


def test_foreign_key(warehouse: Warehouse) -> None:
    key = {"foreign_key": {"repository": "repositories.repository", "author_email": "calendar.attendees.email"}}
    names = ("foreign_key_repository", "foreign_key_author_email")
    rows = [commit("c1"), commit("c2", repository="gone"), commit("c3", repository="x", author_email=None)]
    early = checked(warehouse, rows, key)
    assert [early[name].ok for name in names] == [True, True]
    assert early[names[1]].detail.endswith("calendar.attendees hasn't been loaded yet")
    with warehouse.transaction() as session:
        repositories = [{"repository": "app"}, {"repository": "gone", "_deleted_at": NOW}]
        load(session, "version_control", "002", {"repositories": repositories}, NOW)
        load(session, "calendar", "003", {"attendees": [{"email": "a@x.org"}]}, NOW)
        actual = audited(session, declared(key))
    assert actual[names[1]].ok
    assert actual[names[0]].failing == 2
    assert [row["commit"] for row in actual[names[0]].evidence] == ["c2", "c3"]


def test_evidence_shows_no_personal_or_masked_values(warehouse: Warehouse) -> None:
    streams = {"commits": {"mask": ["subject"], "checks": [{"unique": ["subject", "author_email", "tree"]}]}}
    declarations = {"version_control": declare("version_control", streams)}
    with warehouse.transaction() as session:
        rows = [commit(name, subject="hidden", tree="t") for name in ("c1", "c2")]
        load(session, "version_control", "001", {"commits": rows}, NOW)
        actual = audited(session, declarations)["unique_subject_author_email_tree"]
    assert actual.evidence == tuple({"repository": "app", "commit": name, "tree": "t"} for name in ("c1", "c2"))


def test_evidence_is_at_most_five_rows(warehouse: Warehouse) -> None:
    actual = checked(warehouse, [commit(f"c{n}") for n in range(9)], {"not_null": "tree"})["not_null_tree"]
    assert (actual.failing, len(actual.evidence)) == (9, 5)


def test_a_check_that_makes_no_sense_is_reported_and_costs_nothing(warehouse: Warehouse) -> None:
    checks = [{"range": {"subject": {"min": 1}}}, {"accepted_values": {"parent_count": ["one"]}}, {"not_null": "tree"}]
    checks.append({"accepted_values": {"parent_count": [False]}})
    actual = checked(warehouse, [commit("c1", tree="t")], *checks)
    assert "subject is string, and only numbers have a range" in actual["range_subject"].detail
    assert "parent_count is integer and can't have the value 'one'" in actual["accepted_values_parent_count"].detail
    assert not actual["range_subject"].ok
    assert "can't have the value False" in actual["accepted_values_parent_count_2"].detail
    assert actual["not_null_tree"].ok


TEXTS = st.sampled_from([None, "", "a", "b", "it's:x", "100%"])
COMMIT = st.fixed_dictionaries(
    {"repository": st.sampled_from(["app", "gone"]), "commit": st.sampled_from(["c1", "c2", "c3", None]),
     "tree": TEXTS, "subject": TEXTS, "parent_count": st.sampled_from([None, -1, 0, 1, 2, 17])},
    optional={"_deleted_at": st.just(NOW)},
)  # fmt: skip
EVERY_KIND: list[dict[str, Any]] = [
    {"not_null": ["tree", "subject"]}, {"unique": "tree"}, {"unique": ["tree", "subject"]},
    {"accepted_values": {"tree": ["a", "it's:x"], "parent_count": [0, 1]}},
    {"range": {"parent_count": {"min": 0, "max": 2}}}, {"range": {"parent_count": {"max": 16}}},
    {"foreign_key": {"repository": "repositories.repository", "tree": "commits.subject"}},
    {"row_count": {"min": 1.5, "max": 3}},
]  # fmt: skip


@examples(0.2)
@given(rows=st.lists(COMMIT, max_size=5))
def test_small_loads_are_judged_as_great_expectations_judges_large_ones(
    warehouse: Warehouse, rows: list[dict[str, Any]]
) -> None:
    with contextlib.suppress(_Undone), warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": rows, "repositories": [{"repository": "app"}]}, NOW)
        counted = audited(session, declared(*EVERY_KIND))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("leat.quality.audit.SMALL", -1)
            patch.setattr("leat.quality.audit._count", None)
            assert audited(session, declared(*EVERY_KIND)) == counted
        raise _Undone


class _Undone(Exception):
    """The transaction is to be rolled back."""


def test_rows_stay_in_the_database(warehouse: Warehouse) -> None:
    checks = [{"unique": ["tree", "subject"]}, {"foreign_key": {"tree": "version_control.commits.tree"}}]
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c0", tree="0")]}, NOW)
        audited(session, declared(*checks))  # what the first time imports isn't measured
        session.execute(
            'INSERT INTO version_control.commits (repository, "commit", tree) '
            "SELECT 'app', CAST(n AS VARCHAR), 'one' FROM generate_series(1, 50000) AS numbers(n)"
        )
        tracemalloc.start()
        actual = audited(session, declared(*checks))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert actual["key_unique"].ok
    assert peak < 4_000_000  # bytes; the rows would take 20 times that


def test_uncommitted_rows_are_seen_and_a_rollback_leaves_nothing(warehouse: Warehouse) -> None:
    class GiveUp(Exception):
        pass

    def attempt() -> None:
        with warehouse.transaction() as session:
            load(session, "version_control", "001", {"commits": [commit("c1"), commit("c1")]}, NOW)
            assert audited(session, declared())["key_unique"].failing == 2
            load(session, "version_control", "002", {"commits": [commit("c2")]}, NOW)  # it goes on
            raise GiveUp

    with pytest.raises(GiveUp):
        attempt()
    with warehouse.transaction() as session:
        assert not session.columns("version_control", "commits")
        assert not session.columns("leat", "loads")


def test_names_are_stable_and_recognised_without_great_expectations() -> None:
    checks = [{"not_null": ["tree", "subject"]}, {"not_null": "tree", "severity": "warn"}, {"row_count": {"min": 1}}]
    names = check_names(declared(*checks)["version_control"])
    assert [tuple(name) for name in names["commits"]] == [
        ("key_not_null", "The key (repository, commit) always has a value.", "error"),
        ("key_unique", "No two rows have the same key (repository, commit).", "error"),
        ("not_null_tree", "tree always has a value.", "error"),
        ("not_null_subject", "subject always has a value.", "error"),
        ("not_null_tree_2", "tree always has a value.", "warn"),
        ("row_count", "The number of rows is at least 1.", "error"),
    ]
    modules = "leat.quality.checks, leat.quality.audit, leat.quality.rules"
    code = f"import sys, {modules}; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0


def test_results_come_in_the_order_of_the_names(warehouse: Warehouse) -> None:
    checks = [{"not_null": "tree"}, {"foreign_key": {"tree": "calendar.events.uid"}}, {"row_count": {"max": 9}}]
    actual = checked(warehouse, [commit("c1")], *checks)
    assert list(actual) == [name.name for name in check_names(declared(*checks)["version_control"])["commits"]]


def test_models_are_checked_too(warehouse: Warehouse) -> None:
    with warehouse.transaction() as session:
        session.execute("CREATE SCHEMA analytics")
        session.execute("CREATE TABLE analytics.one AS SELECT 'app' AS repository, 'a@x.org' AS email")
        tables = [
            model_checks("one", [Check(unique=("email",)), Check(accepted_values={"email": ("b",)})], {"email"}),
            model_checks("one", [Check.model_validate({"foreign_key": {"repository": "one.repository"}})]),
            model_checks("two", [Check(unique=("email",))]),
        ]
        actual = audit_models(session, tables, both())
    assert [(r.subject, r.check, r.ok) for r in actual] == [
        ("analytics.one", "unique_email", True),
        ("analytics.one", "accepted_values_email", False),
        ("analytics.one", "foreign_key_repository", True),
        ("analytics.two", "unique_email", True),
    ]
    assert actual[1].evidence == ()


def test_what_no_check_uses_is_imported_by_its_first_use() -> None:
    code = """
import sys
from leat.quality.expectations import import_expectations
import_expectations()
assert not {"altair", "lark", "scipy.stats"} & set(sys.modules), "half of the time again"
import great_expectations.expectations.core.expect_column_kl_divergence_to_be_less_than as user
assert user.stats.entropy([1, 2], [1, 2]) == 0 and user.alt.Chart
import altair, jsonschema, rfc3987_syntax, scipy.stats
assert altair.Chart is user.alt.Chart and scipy.stats.entropy is user.stats.entropy
checker = jsonschema.FormatChecker(["iri"])
assert checker.conforms("https://läd.example", "iri") and not checker.conforms("no scheme", "iri")
assert "lark" in sys.modules and rfc3987_syntax.__file__
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_printed_or_written(tmp_path: Path) -> None:
    code = """
import duckdb
from leat.quality.expectations import Expectation, unexpected_rows, validate
from leat.warehouse.duckdb.session import DuckDBSession
connection = duckdb.connect(); connection.execute("BEGIN")
verdicts = validate(DuckDBSession(connection), "SELECT 1 AS a", [
    Expectation("expect_column_values_to_be_unique", {"column": "a"}),
    unexpected_rows("SELECT nope FROM {batch}"), unexpected_rows("SELECT a FROM {batch}")])
assert [v.met for v in verdicts] == [True, False, False], verdicts
assert "nope" in verdicts[1].error and verdicts[2].error is None, verdicts
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(REPOSITORY), "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


# Rules.


def rules_of(folder: Path, **files: str) -> tuple[Rule, ...]:
    return load_rules(write(folder, "quality/rules", {f"{k}.sql": v for k, v in files.items()}), both())


def json_of(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def ledger(warehouse: Warehouse) -> dict[str, tuple[Any, ...]]:
    with warehouse.snapshot() as session:
        rows = session.execute("SELECT evidence, first_seen_at, last_seen_at, resolved_at FROM leat.violations")
    actual = [(json_of(row[0]), *row[1:]) for row in rows]
    return {evidence["commit"]: times for evidence, *times in actual}


def test_a_violation_appears_stays_is_resolved_and_comes_back(warehouse: Warehouse, tmp_path: Path) -> None:
    rules = rules_of(tmp_path, no_bad=SELECTS_AN_ODD_TEXT)
    times = [NOW + timedelta(hours=n) for n in range(5)]

    def change(sql: str) -> None:
        with warehouse.transaction() as session:
            session.execute(sql)

    def run(n: int) -> CheckResult:
        return check_rules(warehouse, rules, both(), times[n])[0]

    with warehouse.transaction() as session:
        rows = [commit("c1", subject=BAD), commit("c2", subject=BAD), commit("c3", subject="good")]
        load(session, "version_control", "001", {"commits": rows}, NOW)
    first = run(0)
    assert (first.ok, first.failing, first.severity, first.blocks) == (False, 2, "error", True)
    assert first.evidence == ({"repository": "app", "commit": "c1"}, {"repository": "app", "commit": "c2"})
    change("UPDATE version_control.commits SET subject = 'good' WHERE \"commit\" = 'c1'")
    assert run(1).failing == 1
    assert ledger(warehouse) == {"c1": [times[0], times[0], times[1]], "c2": [times[0], times[1], None]}
    change("UPDATE version_control.commits SET subject = 'good'")
    assert run(2).ok
    change("UPDATE version_control.commits SET subject = 'it''s :bad {x} 100%' WHERE \"commit\" = 'c1'")
    assert run(3).failing == 1
    assert ledger(warehouse) == {"c1": [times[0], times[3], None], "c2": [times[0], times[1], times[2]]}
    check_rules(warehouse, (), both(), times[4])  # the rule's file is gone
    assert ledger(warehouse)["c1"] == [times[0], times[3], times[4]]


def test_a_rule_that_fails_is_reported_and_the_others_run(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1", subject=BAD)]}, NOW)
    failing = HEADER + 'SELECT CAST(subject AS BIGINT) AS n, "commit" FROM version_control.commits'
    unknown = HEADER + 'SELECT nope, "commit" FROM version_control.commits'
    rules = rules_of(tmp_path, a_unknown=unknown, b_failing=failing, c_selects=SELECTS_AN_ODD_TEXT)
    actual = check_rules(warehouse, rules, both(), NOW)
    assert [(r.check, r.ok, r.failing) for r in actual] == [
        ("a_unknown", False, 0),
        ("b_failing", False, 0),
        ("c_selects", False, 1),
    ]
    assert "quality/rules/a_unknown.sql can't run: " in actual[0].detail
    assert "nope" in actual[0].detail
    assert "Next: correct the query" in actual[1].detail
    with warehouse.snapshot() as session:
        open_ones = "SELECT rule, severity, owner, evidence FROM leat.violations WHERE resolved_at IS NULL"
        stored = {
            json_of(row[3])["rule" if row[0] == CANNOT_RUN else "commit"]: row for row in session.execute(open_ones)
        }
        outcomes = dict(session.execute("SELECT rule, outcome FROM leat.rules"))
    assert {name: row[:3] for name, row in stored.items()} == {
        "a_unknown": (CANNOT_RUN, "error", "data"),
        "b_failing": (CANNOT_RUN, "error", "data"),
        "c1": ("c_selects", "error", "data"),
    }
    assert "nope" in json_of(stored["a_unknown"][3])["reason"]
    assert outcomes == {"a_unknown": "failed", "b_failing": "failed", "c_selects": "violated", CANNOT_RUN: "violated"}
    check_rules(warehouse, rules[2:], both(), NOW)
    with warehouse.snapshot() as session:
        assert session.execute("SELECT rule FROM leat.violations WHERE resolved_at IS NULL") == [("c_selects",)]
        assert session.execute("SELECT outcome FROM leat.rules WHERE rule = ?", (CANNOT_RUN,)) == [("holds",)]


def test_a_rule_that_reads_what_is_stale_is_skipped(warehouse: Warehouse, tmp_path: Path) -> None:
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1", subject=BAD)]}, NOW)
    rules = rules_of(tmp_path, no_bad=SELECTS_AN_ODD_TEXT)
    assert not check_rules(warehouse, rules, both(), NOW)[0].ok
    stale = {"version_control.commits": "last read yesterday"}
    (actual,) = check_rules(warehouse, rules, both(), NOW + timedelta(hours=1), stale)
    assert (actual.ok, actual.skipped) == (True, True)
    assert actual.detail == "No bad rows: skipped, version_control.commits is stale: last read yesterday"
    assert ledger(warehouse) == {"c1": [NOW, NOW, None]}  # what isn't looked at isn't resolved


def test_one_that_comes_back_soon_flaps_and_an_acknowledgement_stays(warehouse: Warehouse, tmp_path: Path) -> None:
    rules = rules_of(tmp_path, no_bad=SELECTS_AN_ODD_TEXT)
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1", subject=BAD)]}, NOW)

    def run(hours: float, *, bad: bool) -> tuple[Any, ...]:
        with warehouse.transaction() as session:
            session.change("UPDATE version_control.commits SET subject = ?", (BAD if bad else "good",))
        check_rules(warehouse, rules, both(), NOW + timedelta(hours=hours))
        with warehouse.snapshot() as session:
            return session.execute("SELECT opened_at, episodes, flaps FROM leat.violations")[0]

    assert run(0, bad=True) == (NOW, 1, 0)
    with warehouse.transaction() as session:
        ((key,),) = session.execute("SELECT violation_key FROM leat.violations")
        acknowledge(session, [key], "ann", NOW + timedelta(days=9), "with the bank")
    assert run(1, bad=False) == (NOW, 1, 0)
    assert run(2, bad=True) == (NOW + timedelta(hours=2), 2, 1)
    run(3, bad=False)
    assert run(4, bad=True) == (NOW + timedelta(hours=4), 3, 2)
    run(5, bad=False)
    assert run(30, bad=True) == (NOW + timedelta(hours=30), 4, 0)  # more than a day later: it is another time
    with warehouse.snapshot() as session:
        said = "SELECT acknowledged_by, acknowledged_until, acknowledged_note FROM leat.violations"
        assert session.execute(said) == [("ann", NOW + timedelta(days=9), "with the bank")]


def test_tolerances_are_parameters_and_now_is_the_time_of_the_run(warehouse: Warehouse, tmp_path: Path) -> None:
    header = SELECTS_AN_ODD_TEXT.split("SELECT", maxsplit=1)[0].replace(
        "next_step", "tolerance: {settle: PT2H, lines: 3}\nnext_step"
    )
    sql = 'SELECT "commit", $now AS seen FROM version_control.commits WHERE authored_at < $now - $settle AND '
    rules = rules_of(tmp_path, late=header + sql + "parent_count > $lines")
    with warehouse.transaction() as session:
        late = {"authored_at": NOW - timedelta(hours=2, seconds=1)}
        rows = [commit("c1", **{**late, "parent_count": 4}), commit("c2", **{**late, "parent_count": 3})]
        rows += [commit("c3", parent_count=4, authored_at=NOW - timedelta(hours=1))]
        load(session, "version_control", "001", {"commits": rows}, NOW)
    (actual,) = check_rules(warehouse, rules, both(), NOW)
    assert actual.evidence == ({"commit": "c1", "seen": NOW.isoformat()},)


def test_a_tolerance_that_is_not_used_or_not_declared_says_where(tmp_path: Path) -> None:
    query = 'SELECT "commit" FROM version_control.commits\nWHERE authored_at < $now - $setle'
    with pytest.raises(DeclarationError) as caught:
        rules_of(
            tmp_path,
            a=HEADER.replace("key:", "tolerance: {settle: PT1H}\nkey:") + query,
            b=HEADER.replace("key:", "tolerance:\n  settle: 1 hour\nkey:") + query,
        )
    what = "'1 hour' is no ISO 8601 duration; write PT1H for an hour or P1D for a day"
    assert caught.value.diagnostics == [
        'quality/rules/a.sql:10: $setle isn\'t declared under tolerance; did you mean "settle"?; valid: $settle, $now',
        "quality/rules/a.sql:5: tolerance.settle: the query doesn't use $settle",
        f"quality/rules/b.sql:6: tolerance.settle: {what}",
    ]


def test_a_rule_is_skipped_until_what_it_needs_is_there(warehouse: Warehouse, tmp_path: Path) -> None:
    rules = rules_of(
        tmp_path,
        first=SELECTS_AN_ODD_TEXT,
        more=SELECTS_AN_ODD_TEXT.replace("owner: data", "owner: data\nneeds: [calendar]"),
    )
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": []}, NOW)
        actual = run_rules(session, rules, both(), NOW)
        assert [(r.ok, r.detail) for r in actual] == [
            (True, "No bad rows: it holds"),
            (True, "No bad rows: skipped, integration calendar hasn't been loaded yet"),
        ]
        (only, _) = run_rules(session, rules, {}, NOW)
    assert only.detail == "No bad rows: skipped, integration version_control isn't declared"


def test_a_broken_rule_file_says_where(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError) as caught:
        rules_of(
            tmp_path,
            a=HEADER.replace("severity: error", "severity: fatal") + "SELECT 1 AS commit",
            b=HEADER + "SELECT 1 AS comit",
            c=HEADER + "SELECT 1 AS commit FROM calendar.evnts",
        )
    assert caught.value.diagnostics[:2] == [
        "quality/rules/a.sql:3: severity: expected 'warn' or 'error'",
        "quality/rules/b.sql:5: key: the query gives no column 'commit'; did you mean \"comit\"?",
    ]
    assert caught.value.diagnostics[2].startswith(
        "quality/rules/c.sql:8: no table 'calendar.evnts'; did you mean \"events\"?"
    )


WRONG = {
    "unparsable": HEADER + "SELEC subject FROM version_control.commits",
    "no_header": "SELECT 1",
    "unknown_table": HEADER + 'SELECT "commit" FROM version_control.comits',
    "no_key": HEADER.replace("[commit]", "[nokey]") + "SELECT * FROM version_control.commits",
    "twice": HEADER + 'SELECT "commit", "commit" FROM version_control.commits',
    "infinite": HEADER + "SELECT \"commit\", CAST('infinity' AS TIMESTAMPTZ) AS t FROM version_control.commits",
    "before_christ": HEADER
    + "SELECT \"commit\", DATE '0001-01-01' - INTERVAL 400 DAY AS d FROM version_control.commits",
    "a_huge_number": HEADER + 'SELECT "commit", CAST(1e300 AS DOUBLE) * 1e300 AS x FROM version_control.commits',
    "not_a_number": HEADER + "SELECT \"commit\", CAST('NaN' AS DOUBLE) AS x FROM version_control.commits",
    "a_list": HEADER + 'SELECT "commit", ARRAY[1, 2] AS x FROM version_control.commits',
    "an_interval": HEADER + "SELECT \"commit\", INTERVAL '40 days' AS x FROM version_control.commits",
    "bytes": HEADER + "SELECT \"commit\", CAST('\\x00\\xff' AS BYTEA) AS x FROM version_control.commits",
    "nested": HEADER + 'SELECT "commit", ' + "(" * 3000 + "1" + ")" * 3000 + " AS x FROM version_control.commits",
    "too_many": HEADER + 'SELECT "commit", n FROM version_control.commits, generate_series(1, 100001) AS g(n)',
}


def test_whatever_is_wrong_with_a_rule_concerns_no_other(warehouse: Warehouse, tmp_path: Path) -> None:
    from leat.quality.rule_files import read_rules

    folder = write(
        tmp_path, "quality/rules", {f"{name}.sql": text for name, text in {**WRONG, "z": SELECTS_AN_ODD_TEXT}.items()}
    )
    with warehouse.transaction() as session:
        load(session, "version_control", "001", {"commits": [commit("c1", subject=BAD)]}, NOW)
    actual = {result.check: result for result in check_rules(warehouse, read_rules(folder, both()), both(), NOW)}
    assert actual.keys() == {*WRONG, "z"}
    assert (actual["z"].ok, actual["z"].failing, actual["z"].blocks) == (False, 1, True)
    certain = {"unparsable", "no_header", "unknown_table", "no_key", "nested", "too_many"}
    failed = {name for name, result in actual.items() if "can't run" in result.detail}
    assert certain <= failed
    assert not any(actual[name].blocks for name in failed), "what has judged nothing withholds nothing"
    with warehouse.snapshot() as session:
        stored = session.execute("SELECT evidence FROM leat.violations WHERE rule = ?", (CANNOT_RUN,))
        assert {json_of(row[0])["rule"] for row in stored} == failed
        assert session.execute("SELECT violations FROM leat.rules WHERE rule = 'z'") == [(1,)]


def test_a_check_that_breaks_concerns_no_other(warehouse: Warehouse) -> None:
    with warehouse.transaction() as session:
        session.execute("CREATE SCHEMA analytics")
        session.execute("CREATE VIEW analytics.broken AS SELECT 1 AS n, CAST('x' || '' AS INTEGER) AS m")
        session.execute("CREATE TABLE analytics.fine AS SELECT 1 AS n")
    tables = [model_checks("broken", [Check(unique=("n", "m")), Check(not_null=("m",))]),
              model_checks("fine", [Check(unique=("n",))])]  # fmt: skip
    untried: dict[str, str] = {}
    for _ in range(2):
        try:
            with warehouse.transaction() as session:
                actual = audit_models(session, tables, both(), broken=untried)
            break
        except TransactionLost as lost:
            untried[lost.subject] = lost.why
    assert [(result.subject, result.ok) for result in actual] == [
        ("analytics.broken", False), ("analytics.broken", False), ("analytics.fine", True)]  # fmt: skip
    assert all("it couldn't run: " in result.detail for result in actual[:2])
