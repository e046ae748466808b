"""What is planted in the demo, and what actions can do about it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

Act = tuple[str, dict[str, Any]]
"""A verb and its parameters."""
After = Literal["comes back", "stays"]
"""What becomes of the violation when its actions are undone; it stays resolved where they can't be."""


@dataclass(frozen=True)
class Known:
    """What a step is planned from.

    Attributes:
        evidence: of the violation.
        breaches: the evidence of every violation.
        companies: ids of companies, by name.
        receipts: of the steps before.
    """

    evidence: Mapping[str, Any]
    breaches: Mapping[tuple[str, str], Mapping[str, Any]]
    companies: Mapping[str, str]
    receipts: Sequence[Mapping[str, Any]]


Step = Callable[[Known], Act]

AUTOMATED: dict[tuple[str, str], tuple[str, After]] = {
    ("leaver_has_session", "gus.haddad@demo.example"): ("end_sessions_of_leavers", "stays"),
    ("leaver_in_group", "gus.haddad@demo.example"): ("take_leavers_out_of_groups", "comes back"),
    ("charged_twice", "1024"): ("refund_double_charges", "stays"),
    ("invoice_file_missing", "1025"): ("file_missing_invoices", "comes back"),
    ("receipt_missing", "1007"): ("send_missing_receipts", "stays"),
    ("receipt_missing", "1016"): ("send_missing_receipts", "stays"),
}
"""Corrected by an automation."""


def _invoice(evidence: Mapping[str, Any], company: object) -> Act:
    about = f"Order {evidence['order_number']}"
    line = {"description": about, "unit_price": evidence["charged_amount"]}
    parameters = {"company": company, "currency": evidence["currency"], "lines": json.dumps([line])}
    return "crm_accounting.create_invoice", {**parameters, "description": about}


def _posted(known: Known) -> Act:
    return "crm_accounting.post_invoice", {"invoice": known.receipts[-1]["invoice"]}


def _booked(known: Known) -> Act:
    return "crm_accounting.book_payment", {"invoice": known.receipts[-1]["invoice"], "paid_on": f"{date.today()}"}  # noqa: DTZ011


def _contact(name: str, person: str, email: str) -> Act:
    return "crm_accounting.create_contact", {"name": name, "person": person, "email": email}


def _moved(bucket: str, key: str) -> Act:
    return "cloud_storage.move", {"bucket": bucket, "key": key, "to_bucket": "archive", "to_key": key}


BY_HAND: dict[tuple[str, str], tuple[tuple[Step, ...], After]] = {
    ("refund_without_credit_note", "1004"): (
        (
            lambda k: (
                "crm_accounting.credit_invoice",
                {"invoice": k.evidence["invoice_id"], "amount": k.evidence["charged_amount"]},
            ),
            _posted,
        ),
        "stays",
    ),
    ("charge_without_invoice", "1020"): (
        (lambda k: _invoice(k.evidence, k.companies["Acorn Books"]), _posted, _booked),
        "stays",
    ),
    ("charge_not_booked", "1018"): (
        (
            lambda k: (
                "crm_accounting.book_payment",
                {"invoice": k.evidence["invoice_id"], "paid_on": k.evidence["last_charged_at"][:10]},
            ),
        ),
        "stays",
    ),
    ("payer_not_in_crm", "quentin@quill.example"): (
        (
            lambda k: _contact(k.evidence["payer"], "Quentin Quill", k.evidence["payer_email"]),
            lambda k: _invoice(k.breaches["charge_without_invoice", "1022"], k.receipts[0]["company"]),
            _posted,
            _booked,
        ),
        "stays",  # an archived contact still has the address
    ),
    ("organizer_unknown", "erin.guest@partner.example"): (
        (lambda k: _contact("Partner", k.evidence["organizer_name"], k.evidence["organizer_email"]),),
        "stays",
    ),
    ("contact_twice", "dora@dogwood.example"): (
        (
            lambda k: (
                "crm_accounting.update_contact",
                {"company": k.companies[k.evidence["other_company"]], "archived": "true"},
            ),
        ),
        "comes back",
    ),
    ("leaver_organizes", "gus.haddad@demo.example"): (
        (
            lambda k: (
                "calendar.cancel_event",
                {"calendar": k.evidence["next_calendar"], "event": k.evidence["next_uid"]},
            ),
        ),
        "comes back",
    ),
    ("leaver_has_share", "gus.haddad@demo.example"): (
        (
            lambda k: (
                "calendar.unshare",
                {"calendar": k.evidence["calendar"], "user": k.evidence["shared_with"]},
            ),
        ),
        "comes back",
    ),
    ("leaver_has_ticket", "gus.haddad@demo.example"): (
        (
            lambda k: (
                "support.assign_ticket",
                {"number": k.evidence["number"], "assignee": "ivan.petrov@demo.example"},
            ),
        ),
        "comes back",
    ),
    ("file_owner_unknown", "zed.zorn@demo.example"): (
        (lambda k: _moved(k.evidence["bucket"], k.evidence["first_file"]),),
        "comes back",
    ),
    ("quota_exceeded", "designs/"): ((lambda k: _moved(k.evidence["bucket"], "designs/desk-lamp.svg"),), "comes back"),
    ("share_to_stranger", "999988887777"): (
        (lambda k: ("cloud_storage.set_policy", {"bucket": k.evidence["bucket"], "policy": "null"}),),
        "comes back",
    ),
    ("backup_never_restored", "shop"): (
        (
            lambda k: (
                "cloud_storage.backup",
                {"backup": k.evidence["backup"], "bucket": "company", "prefix": "sales/"},
            ),
            lambda k: ("cloud_storage.restore_test", {"backup": k.evidence["backup"]}),
        ),
        "comes back",
    ),
}
"""Corrected by actions that a person plans from the evidence, each once the one before it is confirmed."""

ALONG: dict[tuple[str, str], tuple[tuple[str, str], After]] = {
    ("share_to_everybody", "designs/press/"): (("share_to_stranger", "999988887777"), "comes back"),
    ("charge_without_invoice", "1022"): (("payer_not_in_crm", "quentin@quill.example"), "stays"),
}
"""Corrected along with another one: the policy has both shares, and the payer needs a contact first."""

LEFT = {
    ("refund_above_charge", "1004"): "the money is with the customer, who has to pay it back",
    ("double_refund", "1011"): "the money is with the customer; only those who refunded know whether both were meant",
    ("invoice_paid_without_charge", "1021"): "a booking is reversed in Tryton, once somebody knows why it was made",
    (
        "amount_differs",
        "1009",
    ): "a cent more was booked than came in: the booking has to be corrected in Tryton as well",
    ("currency_exponent_wrong", "1013"): "the invoice has to be credited and written anew, by whoever finds the cause",
    ("lead_won_without_invoice", "New office of Larch Labs"): "only the lead's owner knows what was sold",
    ("ticket_of_unknown_order", "1988"): "only the customer knows which order it is about",
    ("receipt_without_charge", "1999"): "somebody has to ask who sent it",
    ("receipt_bounced", "1012"): "nobody knows another address of the customer",
    ("payout_residual", "EUR"): "the provider has to explain it",
    ("author_unknown", "mallory@elsewhere.example"): "history isn't rewritten; an account or .mailmap says who it is",
    ("leaver_commits", "gus.haddad@demo.example"): "history isn't rewritten; keys are revoked at the git server",
    ("attendee_unknown", "noone@demo.example"): "the organizer is asked, and corrects the meeting",
    ("mailbox_unknown", "old.hand@demo.example"): "the declaration names it as shared, or the mail server closes it",
    ("leaver_owns_files", "gus.haddad@demo.example"): "the declaration names the owner of a folder",
}
"""Corrected by no action of leat, and why."""
