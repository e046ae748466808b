"""What the shipped models and rules about money, files and backups show in a warehouse."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leat.assets.build import build
from leat.assets.model import Model
from leat.assets.model_files import load_models
from leat.pipelines.declare.project import Project
from leat.quality.rule_files import Rule, load_rules
from leat.warehouse.session import Session
from tests.kit.loaded import REPOSITORY, declare, load, project
from tests.models.money_shop import NOW, Shop

INTEGRATIONS = ("payments", "crm_accounting", "email", "cloud_storage", "sso")
MODELS = (
    "known_addresses",
    "released_refunds",
    "money_documents",
    "money_links",
    "orders",
    "reconciliation_daily",
    "payout_reconciliation",
)
SUBJECTS = {
    "amount_differs": "order_number",
    "backup_never_restored": "backup",
    "backup_too_old": "backup",
    "charge_not_booked": "order_number",
    "charge_without_invoice": "order_number",
    "charged_twice": "order_number",
    "contact_twice": "email",
    "currency_exponent_wrong": "order_number",
    "double_refund": "order_number",
    "invoice_customer_not_in_crm": "customer_id",
    "invoice_file_missing": "order_number",
    "invoice_paid_without_charge": "order_number",
    "lead_won_without_invoice": "lead",
    "ledger_differs_from_payments": "label",
    "payer_not_in_crm": "payer_email",
    "payout_residual": "payout_id",
    "quota_exceeded": "prefix",
    "receipt_bounced": "order_number",
    "receipt_missing": "order_number",
    "receipt_without_charge": "order_number",
    "restore_test_too_old": "backup",
    "refund_above_charge": "order_number",
    "refund_without_credit_note": "order_number",
    "share_to_everybody": "prefix",
    "share_to_stranger": "principal",
}
"""Rules about money, files and backups, and the column that says what a violation is about."""


@dataclass(frozen=True)
class Results:
    """What models and rules show of a shop: rows by model, and per subject the rules that it breaks."""

    tables: Mapping[str, list[dict[str, Any]]]
    alarms: Mapping[str, list[str]]

    def order(self, key: str) -> dict[str, Any]:
        return next(row for row in self.tables["orders"] if row["order_key"] == key)


@functools.cache
def parts() -> tuple[tuple[Model, ...], tuple[Rule, ...]]:
    """Return the shipped models and rules that are about money, files and backups."""
    declared = {name: declare(name) for name in INTEGRATIONS}
    with tempfile.TemporaryDirectory() as folder:
        _copied(Path(folder))
        place: Project = project(Path(folder))
        return load_models(place, declared), load_rules(place, declared, MODELS)


def _copied(folder: Path) -> None:
    for kind, names in (("assets/models", MODELS), ("quality/rules", tuple(SUBJECTS))):
        (folder / kind).mkdir(parents=True)
        for name in names:
            for path in (REPOSITORY / kind).glob(f"{name}.*"):
                shutil.copy(path, folder / kind)


def open_shop(session: Session, shop: Shop, without: tuple[str, ...] = ()) -> Results:
    """Write everything of a shop, one load for each integration, build the models, and return what they show."""
    for number, (name, tables) in enumerate(shop.tables.items()):
        if name not in without:
            load(session, name, f"{number:03}", tables, NOW)
    build(session, parts()[0], NOW)
    return _read(session, without)


def _read(session: Session, without: tuple[str, ...]) -> Results:
    tables = {}
    for model in MODELS:
        columns = list(session.columns("analytics", model))
        rows = session.execute(f"SELECT * FROM analytics.{model}")
        tables[model] = [dict(zip(columns, row, strict=True)) for row in rows]
    alarms: dict[str, list[str]] = defaultdict(list)
    for rule in (rule for rule in parts()[1] if not set(rule.needs) & set(without)):
        for (subject,) in session.execute(f"SELECT {SUBJECTS[rule.name]} FROM ({rule.at(NOW, session.dialect)}) AS f"):
            alarms[str(subject)].append(rule.name)
    return Results(tables, {subject: sorted(rules) for subject, rules in alarms.items()})
