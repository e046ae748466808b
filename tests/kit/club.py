"""A project with a club: people in rows, keys, texts and JSON; a model, a rule and a history that name them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kit.command import Leat
from tests.kit.project import SOURCES

ADA, ADA_AT_HOME = "ada.king@club.example", "ada@home.example"
OF_ADA = (ADA, ADA_AT_HOME, "Ada King", "ada king", "+33 1 23 45", "Rue Ada 7")
"""Values of Ada's: addresses, name, telephone, street."""

_MODEL = """/* ---
description: What members bought.
history: true
columns: {email: Address., amount: Sum.}
checks: [{unique: [email]}]
--- */
SELECT m.email AS email, CAST(SUM(s.amount) AS BIGINT) AS amount
FROM club.sales AS s JOIN club.members AS m ON m.id = s.member_id
WHERE s._deleted_at IS NULL GROUP BY m.email
"""
_BY_BUYER = """/* ---
description: What somebody else than the member bought; leat stores the buyer of each sale to build it by its grain.
grain: [buyer]
columns: {buyer: Address., amount: Sum.}
--- */
SELECT s.buyer AS buyer, CAST(SUM(s.amount) AS BIGINT) AS amount
FROM club.sales AS s WHERE s._deleted_at IS NULL GROUP BY s.buyer
"""
_RULE = """/* ---
title: Nobody buys for more than four euros
description: Somebody did.
next_step: Look.
key: [email]
owner: sales
--- */
SELECT email, amount FROM analytics.totals WHERE amount > 400
"""


@dataclass(frozen=True)
class Club:
    """The project, and the command in it."""

    leat: Leat

    @property
    def state(self) -> Path:
        return Path(self.leat.variables.get("LEAT_HOME", str(self.leat.folder / ".leat")))

    def then(self, *steps: Mapping[str, Any]) -> None:
        """Add one line to the script: what the next extraction brings."""
        with (self.leat.folder / "script.jsonl").open("a") as file:
            file.write(json.dumps(steps) + "\n")

    def run(self, *args: str) -> dict[str, Any]:
        return self.leat.json("run", *args)

    def read(self, sql: str) -> list[list[str]]:
        done = self.leat("query", "--format", "csv", sql)
        assert done.returncode == 0, done.stderr
        return [line.split(",") for line in done.stdout.splitlines()[1:]]


def club_project(folder: Path, streams: str | None = None, **variables: str) -> Club:
    """Write the project; ``streams`` is its ``streams:`` block in one line."""
    shutil.copytree(SOURCES, folder / "sources", ignore=shutil.ignore_patterns("__pycache__"))
    streams = streams or "{members: {history: true}, sales: {checks: [{foreign_key: {member_id: members.id}}]}}"
    for name, text in {
        "pipelines/club.yaml": f"source: club\ndriver: script\nstreams: {streams}\n"
        f"connection: {json.dumps({'script': str(folder / 'script.jsonl')})}\n",
        "assets/models/totals.sql": _MODEL,
        "assets/models/by_buyer.sql": _BY_BUYER,
        "quality/rules/big.sql": _RULE,
        "script.jsonl": "",
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Club(Leat(folder, variables))


def everything(**ada: Any) -> list[dict[str, Any]]:
    """Return the events of a complete listing; ``ada`` changes her row."""
    members = [
        {"id": "m1", "email": "Ada.King@Club.example", "name": "Ada King", "phone": "+33 1 23 45",
         "born_on": "1980-01-02", "points": 3, **ada},
        {"id": "m2", "email": "bob.lee@club.example", "name": "Bob Lee", "phone": "+44 9", "born_on": None,
         "points": 4},
    ]  # fmt: skip
    at = "2026-01-01T10:00:00+00:00"
    sales = [
        {"id": 1, "member_id": "m1", "buyer": ADA_AT_HOME, "amount": 500, "address": {"street": "Rue Ada 7"},
         "note": "Order 77 for Ada King"},
        {"id": 2, "member_id": "m2", "buyer": None, "amount": 700, "address": None, "note": "Order 78"},
        {"id": 3, "member_id": "m1", "buyer": None, "amount": 90, "address": None, "note": "Order 79", "vat": 19},
    ]  # fmt: skip
    pages = [
        {"path": f"/{ADA_AT_HOME}/garden", "author": "bob.lee@club.example", "text": f"Ask Ada King or {ADA}.",
         "readers": [ADA, "bob.lee@club.example"]},
        {"path": "/ada.king/notes", "author": ADA, "text": "Mine.", "readers": None},
    ]  # fmt: skip
    return [
        {"do": "rows", "stream": "members", "rows": members},
        {"do": "full_scan", "stream": "members"},
        {"do": "rows", "stream": "visits", "rows": [{"id": 1, "member_id": "m1", "seen_at": at},
                                                   {"id": 2, "member_id": "m2", "seen_at": at}]},
        {"do": "rows", "stream": "sales", "rows": sales},
        {"do": "full_scan", "stream": "sales"},
        {"do": "rows", "stream": "pages", "rows": pages},
        {"do": "quarantine", "stream": "pages", "key": f"/{ADA}", "reason": "broken", "record": f"by {ADA}, Rue Ada 7"},
        {"do": "log", "event_type": "odd", "data": {"who": ADA}},
    ]  # fmt: skip
