"""The shipped models that are rebuilt by their grain: after any loads their rows are those of a complete build."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leat.assets.grain import NoGrain, find_grain
from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.assets.parse_model import qualified
from leat.pipelines.declare.project import load_declarations, open_project
from leat.pipelines.declare.sql_file import read_sql
from leat.pipelines.declare.table_names import ANALYTICS
from leat.pipelines.load.readable_tables import readable_columns, stream_keys
from leat.sources.driver import load_streams
from leat.sources.stream import Column
from leat.warehouse.session import Warehouse
from tests.kit.changing import START, World
from tests.kit.engines import ENGINES
from tests.kit.examples import examples
from tests.kit.loaded import REPOSITORY, warehouse_of

INTEGRATIONS = ("calendar", "crm_accounting", "email", "payments", "platform", "sso", "version_control")
BY_GRAIN = {
    "api_errors", "api_latency", "api_versions", "bus_factor", "calendar_owners", "code_ownership", "commit_activity",
    "email_correspondents", "email_messages", "email_volume", "failed_sign_ins", "ledger_accounts", "our_domains",
    "payment_method_mix", "payment_success", "payments_daily", "payout_reconciliation", "privileged_access",
    "rate_limits", "runs_daily", "sign_in_sources", "sign_ins", "subscription_items",
}  # fmt: skip
WHOLE = {
    "account_balances": "it is recursive",
    "account_review": "whole: leat.loads, sso.factors, sso.users",
    "action_mails": "whole: analytics.email_messages, email.bounces, email.recipients",
    "action_success": "a changed row doesn't say which rows it concerns",
    "application_access": "whole: analytics.open_sessions, sso.users",
    "availability": "a changed row doesn't say which rows it concerns",
    "backup_coverage": "whole: cloud_storage.objects, leat.loads",
    "balance_sheet": "b.month isn't in the PARTITION BY of a window",
    "bookings": "a changed row doesn't say which rows it concerns",
    "branch_health": "whole: leat.loads",
    "branch_merges": "it is recursive",
    "busy_hours": "weekday comes from a CAST that may fail",
    "calendar_people": "it reads the clock, or calls a function of leat",
    "cash_flow": "a changed row doesn't say which rows it concerns",
    "cold_data": "a changed row doesn't say which rows it concerns",
    "companies": "whole: analytics.company_identities",
    "company_identities": "whole: analytics.identities, analytics.known_addresses, analytics.our_",
    "currencies": "VALUES isn't a SELECT",
    "customer_retention": "it is recursive",
    "decline_reasons": "failed.reason isn't in the PARTITION BY of a window",
    "dispute_ageing": "CASE WHEN days < 8 OR days IS NULL THEN '0_to_7' WHEN days < 31 THEN '",
    "email_answers": "a changed row doesn't say which rows it concerns",
    "email_delivery": "_col_1 comes from MIN, not from columns of one row",
    "email_response_times": "a changed row doesn't say which rows it concerns",
    "email_send_times": "weekday comes from a CAST that may fail",
    "email_unanswered_threads": "a changed row doesn't say which rows it concerns",
    "error_types": "failures.integration isn't in the PARTITION BY of a window",
    "identities": "identity comes from REVERSE, not from columns of one row",
    "integration_reliability": "whole: platform.runs",
    "invitation_replies": "whole: calendar.events, email.mailboxes, email.messages",
    "joiners_and_leavers": "m.month isn't in the PARTITION BY of a window",
    "known_addresses": "its text for Postgres is written by hand",
    "leaver_holdings": "whole: calendar.calendars, calendar.events, calendar.occurrences, cale",
    "mainline_commits": "it is recursive",
    "meeting_conflicts": "a changed row doesn't say which rows it concerns",
    "meeting_load": "week comes from MIN, not from columns of one row",
    "merge_times": "a changed row doesn't say which rows it concerns",
    "money_documents": "whole: analytics.released_refunds, crm_accounting.credit_notes, email.",
    "money_links": "r.document isn't in the PARTITION BY of a window",
    "monthly_recurring_revenue": "it is recursive",
    "open_documents": "part comes from a CAST that may fail",
    "open_sessions": "whole: leat.loads, sso.applications, sso.users",
    "open_shares": "a changed row doesn't say which rows it concerns",
    "orders": "a changed row doesn't say which rows it concerns",
    "payables_ageing": "a changed row doesn't say which rows it concerns",
    "people": "whole: analytics.identities, leat.loads",
    "person_addresses": "a changed row doesn't say which rows it concerns",
    "profit_and_loss": "m.month isn't in the PARTITION BY of a window",
    "quota_forecast": "a changed row doesn't say which rows it concerns",
    "receivables_ageing": "a changed row doesn't say which rows it concerns",
    "reconciliation_daily": "summed.side isn't in the PARTITION BY of a window",
    "refund_timing": "spans.span isn't in the PARTITION BY of a window",
    "refunds_and_disputes": "a changed row doesn't say which rows it concerns",
    "released_refunds": "r.id isn't in the PARTITION BY of a window",
    "sign_in_moves": "sign_ins.id isn't in the PARTITION BY of a window",
    "storage_duplicates": "a changed row doesn't say which rows it concerns",
    "storage_growth": "whole.day isn't in the PARTITION BY of a window",
    "storage_usage": "a changed row doesn't say which rows it concerns",
    "storage_written": "months.month isn't in the PARTITION BY of a window",
    "stored_files": "whole: leat.loads",
    "stream_freshness": "a changed row doesn't say which rows it concerns",
    "tickets": "whole: leat.loads, sso.users",
    "violation_actions": "whole: platform.action_events",
}
"""Why each other model is rebuilt whole: what leat says of the columns of its check ``unique`` as its grain.

After ``whole`` are inputs that would be read whole, and that change with most loads.
"""


@pytest.fixture(scope="module")
def models() -> tuple[Model, ...]:
    project = open_project(REPOSITORY)
    return load_models(project, load_declarations(project))


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def world(engine: str, models: tuple[Model, ...], request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    warehouse: Warehouse = warehouse_of(engine, tmp_path, request)
    yield World(warehouse, [each for each in models if each.grain])
    warehouse.close()


def rows(world: World, integration: str, count: int, chance: random.Random) -> dict[str, list[dict[str, Any]]]:
    """Return random rows of the streams of an integration that the models read."""
    read = {table.name for model in world.models for table in model.inputs if table.schema == integration}
    streams = [stream for stream in load_streams(integration) if stream.name in read]
    return {
        stream.name: [
            {column.name: value(column, column.name in stream.key, chance) for column in stream.all_columns()}
            | {"_deleted_at": START if chance.random() < 0.2 else None}
            for _ in range(count)
        ]
        for stream in streams
    }


def value(column: Column, needed: bool, chance: random.Random) -> Any:
    """Return a value; a text is one of few, so that rows meet in joins and groups."""
    if not needed and chance.random() < 0.2:
        return None
    if column.type == "string":
        texts = {
            "type": ["charge", "refund", "stripe_fee"],
            "status": ["succeeded", "failed", "paid"],
            "kind": ["login"],
        }
        return chance.choice(texts.get(column.name, ["a@x.org", "b@y.org", "a", "b"]))
    if column.type == "boolean":
        return chance.random() < 0.5
    if column.type == "json":
        return '["read"]'
    if column.type in ("timestamp", "datetime", "date"):
        at = START + timedelta(hours=chance.randrange(60))
        return at if column.type == "timestamp" else at.replace(tzinfo=None) if column.type == "datetime" else at.date()
    return chance.randrange(3)


@given(seed=st.integers(0, 2**32))
@examples(0.01)
def test_after_any_loads_each_shipped_model_is_as_if_it_were_built_whole(world: World, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    world.begin(INTEGRATIONS)
    for name in INTEGRATIONS:
        world.load(name, rows(world, name, 12, chance))
    world.build()
    for number in range(3):
        for name in INTEGRATIONS if number else ("sso", "payments", "platform"):
            changed = rows(world, name, 2, chance)
            tables = {table: changed[table] for table in changed if chance.random() < 0.5}
            if tables:
                world.load(name, tables)
        world.build()


def test_each_shipped_model_with_a_grain_is_built_by_it(world: World) -> None:
    chance = random.Random(4)  # noqa: S311
    world.begin(INTEGRATIONS)
    for name in INTEGRATIONS:
        world.load(name, rows(world, name, 12, chance))
    world.build()
    whole = {
        str(table)
        for model in world.models
        if model.grain
        for table in model.inputs
        if str(table) not in {each.table for each in model.grain.inputs}
    }
    for again in (set(), {"payments.balance_transactions"}):  # what one model reads by its grain, another reads whole
        for name in INTEGRATIONS:
            changed = rows(world, name, 2, chance)
            world.load(name, {t: of for t, of in changed.items() if f"{name}.{t}" not in whole - again})
        world.build()
    assert {name for name in BY_GRAIN if not world.by_keys(name)} == set()


def test_which_shipped_models_have_a_grain_and_why_others_have_none(models: tuple[Model, ...]) -> None:
    assert {each.name for each in models if each.grain} == BY_GRAIN
    declarations = load_declarations(open_project(REPOSITORY))
    columns = {**readable_columns(declarations), ANALYTICS: {each.name: list(each.columns) for each in models}}
    keys = stream_keys(declarations) | {f"{ANALYTICS}.{name}": () for name in BY_GRAIN}
    others = {}
    for model in models:
        if model.name not in BY_GRAIN:
            file = read_sql(REPOSITORY / model.shown, model.shown)
            query = qualified(file, columns)
            try:
                grain = find_grain(file, query, model.key or tuple(model.columns)[:1], keys)
                named = {each.table for each in grain.inputs}
                others[model.name] = f"whole: {', '.join(sorted({str(table) for table in model.inputs} - named))}"
            except NoGrain as why:
                others[model.name] = str(why)
    assert {name: text.partition(", in ")[0][:70] for name, text in others.items()} == WHOLE
