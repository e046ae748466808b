"""Rules about money, files and backups: what breaks one of them breaks no other, and what breaks none is silent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.kit.engines import ENGINES
from tests.kit.loaded import warehouse_of
from tests.models.money_cases import CASES
from tests.models.money_results import open_shop
from tests.models.money_shop import NOW, SHOP, Shop, day


def whole_shop() -> Shop:
    """Return a shop with every case, and with what isn't about orders."""
    shop = Shop()
    shop.customer("ada", "ada@buyer.example")
    shop.add("email", "mailboxes", account=SHOP, mailbox="Sent", role="sent")
    for order, (function, _) in CASES.items():
        function(shop, order)
    begin = shop.sale("2000", 100, days=60)
    shop.payout((begin[0],), days=50)
    crm_and_storage(shop)
    return shop


def crm_and_storage(shop: Shop) -> None:
    """Add contacts, leads, shares, backups: some right, some not."""
    shop.customer("bob", "Bob@two.example")
    shop.customer("bobby", "bob@two.example ")
    for name in ("Cem", "Dan"):
        shop.add("crm_accounting", "contacts", contact_id=name, company_id="ada", name=name, email="all@one.example")
    shop.sale("3001", 700, receipt_email="stranger@far.example")
    shop.invoice(None, 50, customer_id="nobody", days=9, status="posted", open_amount=50, number="INV-77")
    shop.file("2026/Rechnung INV-77.pdf")
    for key, won in (("old", 40), ("fresh", 20)):
        shop.add("crm_accounting", "leads", lead_id=key, name=key, stage="won", company_id="bob", started_on=day(50))
        shop.add("crm_accounting", "lead_stages", lead_id=key, position=0, stage="won",
                 entered_at=NOW - timedelta(days=won))  # fmt: skip
    shares = {"bob+files@two.example": {}, "8888": {}, "9999": {"expires_at": NOW - timedelta(1)}, "us": {}}
    shop.add("cloud_storage", "buckets", bucket="office", owner_id="us")
    for principal, more in shares.items():
        shop.add("cloud_storage", "shares", bucket="office", prefix="p/", principal=principal, permission="READ",
                 origin="acl", is_public=False, **more)  # fmt: skip
    for prefix, expires in (("open/", None), ("was-open/", NOW - timedelta(1))):
        shop.add("cloud_storage", "shares", bucket="office", prefix=prefix, principal="*", permission="READ",
                 origin="acl", is_public=True, expires_at=expires)  # fmt: skip
    for prefix, used in (("full/", 101), ("room/", 100)):
        shop.add("cloud_storage", "quotas", bucket="", prefix=prefix, owner="", limit_bytes=100, used_bytes=used)
    for backup, age, gone in (("good", 1, None), ("stale", 9, None), ("gone", 1, NOW), ("failing", 1, None)):
        shop.add("cloud_storage", "backup_runs", backup=backup, run="r", bucket="office", objects=1, bytes=1,
                 ended_at=NOW - timedelta(days=age), _deleted_at=gone)  # fmt: skip
        shop.add("cloud_storage", "restore_tests", bucket="office", key=backup, backup=backup, ok=backup != "failing",
                 tested_at=NOW)  # fmt: skip
    for backup, tested in (("long ago", 91), ("lately", 89)):
        shop.add("cloud_storage", "backup_runs", backup=backup, run="r", bucket="office", objects=1, bytes=1,
                 ended_at=NOW - timedelta(days=1))  # fmt: skip
        for key, ok, days in (("bad", False, 0), ("good", True, tested), ("older", True, 200)):
            shop.add("cloud_storage", "restore_tests", bucket="office", key=backup + key, backup=backup, ok=ok,
                     tested_at=NOW - timedelta(days=days))  # fmt: skip


OTHERS = {
    "stranger@far.example": ["payer_not_in_crm"],
    "nobody": ["invoice_customer_not_in_crm"],
    "bob@two.example": ["contact_twice"],
    "old": ["lead_won_without_invoice"],
    "8888": ["share_to_stranger"],
    "open/": ["share_to_everybody"],
    "full/": ["quota_exceeded"],
    "stale": ["backup_too_old"],
    "gone": ["backup_too_old"],
    "failing": ["backup_never_restored"],
    "long ago": ["restore_test_too_old"],
}


@pytest.mark.parametrize("engine", ENGINES)
def test_each_order_breaks_the_rules_that_it_should(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with warehouse_of(engine, tmp_path, request).transaction() as session:
        results = open_shop(session, whole_shop())
    cases = {order: rules for order, (_, rules) in CASES.items() if rules}
    assert results.alarms == {**cases, **OTHERS}
