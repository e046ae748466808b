"""Alerts: who gets which message, when and how often; on both control stores, by a webhook that is really called."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leat.pipelines.load import state
from tests.kit.alerting import START, Office
from tests.kit.webhook import Webhook, webhook

ONE = "channels: {hook: {url: {env: HOOK}}}\ndefault: hook\n"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    with webhook() as started:
        monkeypatch.setenv("HOOK", started.url)
        yield started


@pytest.fixture
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """Give a project whose alerts all go to one webhook; its control store is SQLite unless a test asks for both."""
    kind = getattr(request, "param", "sqlite")
    url = request.getfixturevalue("postgres_url") if kind == "postgres" else f"sqlite:///{tmp_path}/control.db"
    made = Office(tmp_path, url)
    made.declare(ONE)
    yield made
    made.store.dispose()


both_stores = pytest.mark.parametrize("office", ["sqlite", "postgres"], indirect=True)


def titles(hook: Webhook) -> list[str]:
    return [each["title"] for each in hook.take()]


def test_a_hundred_repeats_of_one_problem_are_one_message(office: Office, hook: Webhook) -> None:
    office.violate(1)
    sent = [office.pass_(minutes=1) for _ in range(100)]
    assert [len(each) for each in sent] == [1] + [0] * 99
    [message] = hook.take()
    assert message["title"] == "leat: 1 new violation (charge_without_invoice)"
    assert message["type"] == "warning"
    for part in ("Every charge has an invoice", "order=ORD-1", "charged_amount=4901", "Next: Write the invoice.",
                 "leat violations --rule charge_without_invoice", "owner finance", "2026-11-02 12:00 UTC"):  # fmt: skip
        assert part in message["message"], part


def test_what_is_new_at_once_is_one_message_by_rule(office: Office, hook: Webhook) -> None:
    office.violate(*range(50))
    office.violate(1, rule="entries_balance", severity="error")
    office.check("not_null_weight", ok=False, evidence=[{"shelf": "a", "id": 7}])
    office.ran("failed", ("Unauthenticated", "the server refused the password"))
    office.pass_()
    [message] = hook.take()
    assert message["title"] == "leat: 53 new problems (entries_balance and 3 more)"
    assert message["type"] == "failure"
    text = message["message"]
    assert text.index("Journal entries balance") < text.index("Every charge has an invoice"), "errors come first"
    assert text.count("order=") == 6, "five rows of the one, one of the other"
    assert "… and 45 more" in text
    assert "shelf=a, id=7" in text
    assert "Unauthenticated: the server refused the password" in text
    office.violate(60)
    office.pass_(minutes=5)
    assert "1 of 51 open" in hook.take()[0]["message"]


@both_stores
def test_what_is_over_is_reported_once(office: Office, hook: Webhook) -> None:
    office.violate(1, 2)
    office.pass_()
    office.resolve(1)
    assert [len(office.pass_(hours=1)) for _ in range(3)] == [1, 0, 0]
    opened, over = hook.take()
    assert (over["title"], over["type"]) == ("leat: 1 resolved violation (charge_without_invoice)", "success")
    assert "1, 1 still open" in over["message"]
    office.pass_(days=2)
    office.violate(1)
    office.pass_()
    assert titles(hook) == ["leat: 1 new violation (charge_without_invoice)"], "it is news again"
    assert opened["key"] != over["key"]


@both_stores
def test_each_kind_of_problem_opens_and_recovers(office: Office, hook: Webhook) -> None:
    office.tally.declare("{fed: {fresh_within: PT1H}}")
    office.ran("loaded")
    office.now = datetime.now(UTC)
    assert office.pass_() == []
    office.pass_(hours=2)
    assert titles(hook) == ["leat: 1 new problem (tally)"]
    office.check("not_null_weight", ok=False)
    office.ran("blocked", ("Blocked", "tally.fed: not_null_weight"))
    office.pass_()
    [message] = hook.take()
    assert "the last run was stopped by a check" in message["message"]
    office.now = datetime.now(UTC)
    office.check("not_null_weight", ok=True)
    office.ran("nothing_new")
    office.pass_()
    assert titles(hook) == ["leat: 3 resolved problems (tally and 1 more)"]


def test_a_run_that_may_pass_is_a_warning_and_busy_is_nothing(office: Office, hook: Webhook) -> None:
    office.ran("busy", ("Busy", "integration tally is in use"))
    assert office.pass_() == []
    office.ran("failed", ("TimedOut", "no answer"))
    office.ran("busy", ("Busy", "integration tally is in use"))
    office.pass_()
    assert [each["type"] for each in hook.take()] == ["warning"]


@both_stores
def test_a_run_whose_process_is_gone_is_reported(office: Office, hook: Webhook) -> None:
    from leat.control.store import start_run
    from leat.pipelines.declare.project import load_declarations
    from leat.runs.recorder import register
    from leat.warehouse.connect import open_warehouse

    register(office.store, load_declarations(office.project))
    start_run(office.store, "tally", "dagster", holds_lock=True)
    office.now = datetime.now(UTC)
    warehouse = open_warehouse(None, office.project.state)
    with warehouse.exclusive("tally"):
        assert office.pass_(hours=1) == [], "it runs"
    office.now = datetime.now(UTC)
    assert office.pass_() == [], "it has just begun"
    office.pass_(minutes=5)
    [message] = hook.take()
    assert "a run's process is gone" in message["message"]
    office.ran("nothing_new")
    office.pass_()
    assert titles(hook) == ["leat: 1 resolved problem (tally)"]


def test_a_withheld_version_is_reported(office: Office, hook: Webhook) -> None:
    from leat.control.publications import log_publication

    reason = {"subject": "analytics.shelves", "check": "unique_shelf", "failing": 3, "detail": "3 rows broke it"}
    log_publication(office.store, "publish_withheld", {"reasons": [reason], "since": START.isoformat()})
    office.pass_()
    [message] = hook.take()
    assert message["title"] == "leat: 1 new problem (publication)"
    assert "subject=analytics.shelves, check=unique_shelf, failing=3" in message["message"]
    assert "since 2026-11-02 12:00 UTC" in message["message"]
    log_publication(office.store, "publish_clean", {})
    office.pass_()
    assert titles(hook) == ["leat: 1 resolved problem (publication)"]


def test_warnings_wait_for_the_digest(office: Office, hook: Webhook) -> None:
    office.declare(ONE + 'digest: {at: "09:00", zone: Europe/Berlin}\n')
    office.violate(1, 2)
    office.pass_()
    assert hook.take() == []
    office.violate(1, rule="entries_balance", severity="error")
    office.pass_(minutes=1)
    assert titles(hook) == ["leat: 1 new violation (entries_balance)"]
    office.resolve(2)
    office.violate(3)
    office.now = datetime(2026, 11, 3, 7, 59, tzinfo=UTC)
    assert office.pass_() == []
    office.pass_(minutes=1)  # nine o'clock in Berlin, in winter
    assert titles(hook) == ["leat: 2 new violations (charge_without_invoice)"], (
        "what came and went in between is not told"
    )
    office.resolve(1)
    office.pass_(hours=3)
    assert hook.take() == []
    office.pass_(days=1)
    assert titles(hook) == ["leat: 1 resolved violation (charge_without_invoice)"]


def test_a_route_may_pass_the_digest_by(office: Office, hook: Webhook) -> None:
    office.declare(ONE + 'routes: [{rule: "charge_*", channels: hook, digest: false}]\ndigest: {at: "09:00"}\n')
    office.violate(1)
    office.violate(1, rule="entries_balance")
    office.pass_()
    assert titles(hook) == ["leat: 1 new violation (charge_without_invoice)"]


def test_quiet_hours_hold_back_until_they_end(office: Office, hook: Webhook) -> None:
    office.declare(ONE + 'quiet_hours: {start: "20:00", end: "07:00", zone: America/New_York}\n')
    office.now = datetime(2026, 11, 3, 0, 59, tzinfo=UTC)  # 19:59 there: summer time ended on the first
    office.violate(1)
    office.pass_()
    assert len(hook.take()) == 1
    office.violate(2, severity="error")
    assert office.pass_(minutes=1) == []
    office.resolve(1)
    office.now = datetime(2026, 11, 3, 11, 59, tzinfo=UTC)
    assert office.pass_() == []
    office.pass_(minutes=1)
    assert titles(hook) == ["leat: 1 new and 1 resolved violations (charge_without_invoice)"]


def test_quiet_hours_let_errors_pass_where_declared(office: Office, hook: Webhook) -> None:
    office.declare(ONE + "quiet_hours: {start: 11:00, end: 14:00, unless: error}\n")  # YAML makes numbers of these
    office.violate(1)
    office.violate(1, rule="entries_balance", severity="error")
    office.pass_()
    assert titles(hook) == ["leat: 1 new violation (entries_balance)"]
    office.pass_(hours=2)
    assert titles(hook) == ["leat: 1 new violation (charge_without_invoice)"]


@both_stores
def test_a_problem_that_stays_is_escalated_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as desk, webhook() as boss:
        monkeypatch.setenv("DESK", desk.url)
        monkeypatch.setenv("BOSS", boss.url)
        office.declare(
            "channels: {desk: {url: {env: DESK}}, boss: {url: {env: BOSS}}}\ndefault: desk\n"
            "escalate: {after: PT4H, to: [boss, desk]}\n"
        )
        office.violate(1, 2)
        office.pass_()
        office.acknowledge(2, office.now + timedelta(days=1))
        assert [len(office.pass_(hours=hours)) for hours in (3, 1, 1, 1)] == [0, 2, 0, 0]
        assert titles(boss) == ["leat: 1 escalated violation (charge_without_invoice)"], "the other one is acknowledged"
        assert titles(desk)[1:] == ["leat: 1 escalated violation (charge_without_invoice)"]
        office.resolve(1)
        office.pass_()
        assert titles(boss) == ["leat: 1 resolved violation (charge_without_invoice)"]
        assert titles(desk) == ["leat: 1 resolved violation (charge_without_invoice)"]


def test_an_acknowledgement_silences_until_it_ends(office: Office, hook: Webhook) -> None:
    office.declare(ONE + "remind: P1D\n")
    office.violate(1, 2)
    office.acknowledge(1, START + timedelta(days=3))
    office.pass_()
    assert titles(hook) == ["leat: 1 new violation (charge_without_invoice)"]
    office.acknowledge(2, START + timedelta(days=3))
    assert [office.pass_(days=1) for _ in range(2)] == [[], []]
    office.pass_(days=1)
    assert titles(hook) == ["leat: 1 new and 1 unresolved violations (charge_without_invoice)"]


def test_reminders_are_off_unless_declared(office: Office, hook: Webhook) -> None:
    office.violate(1)
    office.pass_()
    assert [office.pass_(days=10) for _ in range(3)] == [[], [], []]
    office.declare(ONE + "remind: P1D\n")
    assert [len(office.pass_(hours=12)) for _ in range(4)] == [1, 0, 1, 0]
    assert titles(hook)[1] == "leat: 1 unresolved violation (charge_without_invoice)"


def test_a_clock_that_was_ahead_silences_nobody_afterwards(office: Office, hook: Webhook) -> None:
    office.declare(ONE + "remind: P1D\n")
    office.violate(1)
    office.pass_(days=400)
    assert [len(office.pass_(days=days)) for days in (-400, 0.5, 0.5)] == [1, 0, 1]
    assert titles(hook)[1] == "leat: 1 unresolved violation (charge_without_invoice)"


def test_what_flaps_is_reported_once_until_it_has_settled(office: Office, hook: Webhook) -> None:
    said = []
    for _ in range(6):
        office.violate(1)
        office.pass_(hours=1)
        office.resolve(1)
        office.pass_(hours=1)
        said += titles(hook)
    name = "(charge_without_invoice)"
    assert said == [f"leat: 1 {what} violation {name}" for what in ("new", "resolved", "new", "resolved", "flapping")]
    assert office.pass_(hours=22) == []
    office.pass_(hours=3)
    assert titles(hook) == [f"leat: 1 resolved violation {name}"]


def test_what_the_ledger_calls_flapping_and_stays_open_is_reported_as_open(office: Office, hook: Webhook) -> None:
    office.violate(1, flaps=3)
    office.pass_()
    [message] = hook.take()
    assert message["title"] == "leat: 1 flapping violation (charge_without_invoice)"
    assert "No more alerts until" in message["message"]
    assert office.pass_(hours=23) == []
    office.pass_(hours=1)
    assert titles(hook) == ["leat: 1 new violation (charge_without_invoice)"]


def test_routes_choose_by_rule_integration_owner_severity_and_kind(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("rules", "broken", "money", "runs", "rest")
    routes = [("kind: run", "runs"), ("{rule: 'entries_*', integration: [tally]}", "rules"),
              ("severity: error", "broken"), ("owner: [finance]", "money"), ("owner: nobody", "[]")]  # fmt: skip
    listed = "\n".join(f"- {{{match.strip('{}')}, channels: {channel}}}" for match, channel in routes)
    channels = ", ".join(f"{name}: {{url: {{env: {name.upper()}}}}}" for name in names)
    office.declare(f"channels: {{{channels}}}\ndefault: [rest]\nroutes:\n{listed}\n")
    with webhook() as a, webhook() as b, webhook() as c, webhook() as d, webhook() as e:
        hooks = dict(zip(names, (a, b, c, d, e), strict=True))
        for name, hook in hooks.items():
            monkeypatch.setenv(name.upper(), hook.url)
        office.violate(1, 2)
        office.violate(1, rule="entries_balance", severity="error")
        office.violate(3, owner="sales")
        office.violate(4, owner="nobody")
        office.violate(5, severity="error", owner="people")
        office.ran("failed", ("Rejected", "no"))
        office.pass_()
        assert {name: [m["title"].split("(")[0] for m in hook.take()] for name, hook in hooks.items()} == {
            "rules": ["leat: 1 new violation "],
            "broken": ["leat: 1 new violation "],
            "money": ["leat: 2 new violations "],
            "runs": ["leat: 1 new problem "],
            "rest": ["leat: 1 new violation "],
        }


def test_changed_fields_are_news_once_and_go_where_their_route_says(office: Office, hook: Webhook) -> None:
    load, data = "20261102T120000000000", '{"stream": "fed", "fields": ["colour", "maker"]}'
    with office.writing() as session:
        state.insert(session, "log", [(load, "tally", "fields_appeared", data, office.now)])
    office.declare(f"{ONE}routes: [{{kind: drift, channels: []}}]\n")
    assert office.pass_(minutes=1) == []
    office.declare(ONE)
    [sent] = office.pass_(minutes=1)
    [message] = hook.take()
    assert (sent.error, message["title"]) == (None, "leat: 1 new problem (tally.fed)")
    assert "[warn] tally.fed: new fields: colour, maker" in message["message"]
    assert [office.pass_(days=days) for days in (1, 7, 30)] == [[], [], []], "it is no problem that ends"
