"""What is in the storage of the demo company, its quotas, backups and shares."""

from __future__ import annotations

from dataclasses import dataclass

from leat.demo.story.trade import ORDERS

BUCKET = "company"
ARCHIVE = "archive"
"""A second bucket, without versions."""

OWNERS = {
    "invoices/": "fay.nguyen@demo.example",
    "designs/": "carol.svensson@demo.example",
    "backups/": "dan.rossi@demo.example",
    "old/": "zed.zorn@demo.example",
    "sales/": "gus.haddad@demo.example",
}
"""Who owns what is below a prefix."""

QUOTAS = {"designs/": 150_000, "backups/": 1_000_000, "invoices/": 1_000_000}
"""Bytes that may be stored below a prefix."""

STRANGER = "999988887777"
"""An account of the storage provider that nobody here knows, which may read ``sales/``."""
PUBLIC = "designs/press/"
"""Everybody may read this; on purpose for the press, and an inconsistency all the same."""


@dataclass(frozen=True, slots=True)
class File:
    """One object.

    Attributes:
        key: its name in the bucket.
        size: bytes.
        days_ago: when it was written; servers that set the time themselves show the time of seeding.
        bucket: where it is.
        versions: how often it was written.
        deleted: whether it was deleted afterwards.
    """

    key: str
    size: int
    days_ago: int
    bucket: str = BUCKET
    versions: int = 1
    deleted: bool = False


FILES = (
    *(File(f"invoices/{order.number}.pdf", 900 + order.number % 97, order.days_ago) for order in ORDERS if order.pdf),
    File("designs/desk-lamp.svg", 40_000, 50, versions=3),
    File("designs/floor-lamp.svg", 60_000, 45, versions=2),
    File("designs/press/lamp.jpg", 80_000, 20),
    File("designs/draft.svg", 10_000, 44, deleted=True),
    File("sales/customers.csv", 2_000, 30),
    File("sales/prices 2026 €.csv", 1_200, 29),
    File("old/minutes.txt", 500, 300),
    File("backups/books/2026-a.dump", 120_000, 30),
    File("backups/books/2026-b.dump", 125_000, 2),
    File("backups/shop/2026-a.dump", 90_000, 3),
    File("2019/ledger.csv", 3_000, 900, bucket=ARCHIVE),
    File("2020/ledger.csv", 3_500, 600, bucket=ARCHIVE),
)

RESTORE_TESTS = (("books", 20, True),)
"""Backup, days ago, whether it worked: that of ``shop`` was never restored."""
