"""Stores a posted invoice as a file, as Tryton prints it: an ODT, or a PDF where the server converts its reports."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NoReturn

from leat.files import atomic_write
from leat.sources.actions import Change, Order, Plan, Receipt, Refused
from leat.sources.crm_accounting.actions import RenderInvoice
from leat.sources.crm_accounting.tryton.actions.database import Database

_KINDS = {"application/vnd.oasis.opendocument.text": ".odt", "application/pdf": ".pdf"}


def plan(database: Database, _action: str, wanted: RenderInvoice) -> Plan:
    """Print an invoice, and plan to store it; Tryton stores that print too, so that it is always the same.

    Raises:
        Refused: it isn't posted, the path leads elsewhere, or another file is there.
    """
    record = database.get("account.invoice", wanted.invoice, ["state", "number"], "invoice")
    if record["state"] not in ("posted", "paid"):
        msg = f"invoice {wanted.invoice} is {record['state']}: post it first"
        raise Refused(msg)
    file = _inside(database, wanted.to)
    answer = database.report("account.invoice", wanted.invoice)
    kind = _KINDS.get(answer.headers.get("Content-Type", "").partition(";")[0])
    if kind is not None and file.suffix.lower() != kind:
        msg = f"to: Tryton prints this invoice as {kind}, so the name has to end with it"
        raise Refused(msg)
    digest = hashlib.sha256(answer.body).hexdigest()
    there = _digest(file)
    if there == digest:
        msg = f"to: {wanted.to} is already this invoice"
        raise Refused(msg)
    if there is not None:
        msg = f"to: another file is there: {wanted.to}"
        raise Refused(msg)
    payload = {"to": wanted.to, "sha256": digest, "invoice": wanted.invoice}
    title = f"store invoice {record['number']} as {wanted.to}, {len(answer.body)} bytes"
    change = Change(wanted.to, None, f"{len(answer.body)} bytes")
    return Plan(title, f"files/{wanted.to}", (change,), payload, bodies={"file": answer.body})


def _inside(database: Database, to: str) -> Path:
    folder = database.project.resolve()
    file = (folder / to).resolve()
    if not file.is_relative_to(folder) or file == folder:
        msg = f"to: {to} is outside of the project folder"
        raise Refused(msg)
    return file


def _digest(file: Path) -> str | None:
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def send(database: Database, order: Order) -> Receipt:
    """Write the file, whole or not at all.

    Raises:
        Outdated: another file is there by now.
    """
    to, body = order.plan.payload["to"], order.plan.bodies["file"]
    file = _inside(database, to)
    if _digest(file) not in (None, order.plan.payload["sha256"]):
        database.outdated(f"writing {to}", "another file is there")
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(file, body)
    return Receipt({"file": to, "sha256": order.plan.payload["sha256"], "bytes": len(body)}, content=body)


def probe(database: Database, order: Order) -> Receipt | None:
    """Return whether the file is there as planned."""
    to, digest = order.plan.payload["to"], order.plan.payload["sha256"]
    if _digest(_inside(database, to)) != digest:
        return None
    body = order.plan.bodies["file"]
    return Receipt({"file": to, "sha256": digest, "bytes": len(body)}, content=body)


def confirm(database: Database, order: Order, receipt: Receipt) -> tuple[Change, ...]:
    """Compare the file with what was printed."""
    now = _digest(_inside(database, receipt.data["file"]))
    planned = order.plan.payload["sha256"]
    return () if now == planned else (Change(receipt.data["file"], planned, now),)


def undo(_database: Database, _order: Order, receipt: Receipt) -> NoReturn:
    """Refuse: the file is the user's."""
    msg = f"delete the file {receipt.data['file']} yourself"
    raise Refused(msg)
