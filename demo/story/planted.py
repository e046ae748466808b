"""What doesn't fit together at the demo company, on purpose: the consistency rules have to find these and no others."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planted:
    """One inconsistency.

    Attributes:
        kind: which of the things that tie the systems together is broken.
        subject: what it is about: the number of an order, an address, a prefix.
        systems: the sources whose tables disagree.
        story: what happened, in one sentence.
    """

    kind: str
    subject: str
    systems: tuple[str, ...]
    story: str


PLANTED = (
    Planted("refund_above_charge", "1004", ("payments",), "49.00 EUR were charged and 69.00 given back."),
    Planted("refund_without_credit_note", "1004", ("payments", "crm_accounting"), "The books know of no refund."),
    Planted("double_refund", "1011", ("payments",), "30.00 EUR were given back twice on one day."),
    Planted("charge_without_invoice", "1020", ("payments", "crm_accounting"), "Paid, but never invoiced."),
    Planted("charge_without_invoice", "1022", ("payments", "crm_accounting"), "Paid, but never invoiced."),
    Planted("invoice_paid_without_charge", "1021", ("crm_accounting", "payments"), "Booked as paid; nothing came in."),
    Planted("amount_differs", "1009", ("payments", "crm_accounting"), "The invoice is one cent above the charge."),
    Planted("currency_exponent_wrong", "1013", ("payments", "crm_accounting"), "16,000 yen became 160 in the books."),
    Planted("charge_not_booked", "1018", ("payments", "crm_accounting"), "Charged, but the invoice is still open."),
    Planted("receipt_missing", "1007", ("payments", "email"), "The customer got no receipt."),
    Planted("receipt_missing", "1016", ("payments", "email"), "The customer got no receipt."),
    Planted("receipt_without_charge", "1999", ("email", "payments"), "A receipt for an order that nobody knows."),
    Planted("receipt_bounced", "1012", ("email",), "The receipt came back."),
    Planted("payer_not_in_crm", "quentin@quill.example", ("payments", "crm_accounting"), "The CRM lacks the payer."),
    Planted("contact_twice", "dora@dogwood.example", ("crm_accounting",), "The CRM has one contact twice."),
    Planted("lead_won_without_invoice", "New office of Larch Labs", ("crm_accounting",), "Won, never invoiced."),
    Planted("payout_residual", "EUR", ("payments",), "The last payout lacks 3.00 EUR of its transactions."),
    Planted("invoice_file_missing", "1025", ("crm_accounting", "cloud_storage"), "The storage lacks the PDF."),
    Planted("author_unknown", "mallory@elsewhere.example", ("version_control", "sso"), "Not a user, but committed."),
    Planted("leaver_commits", "gus.haddad@demo.example", ("version_control", "sso"), "Committed after leaving."),
    Planted("organizer_unknown", "erin.guest@partner.example", ("calendar", "sso"), "Not a user, but organizes."),
    Planted("attendee_unknown", "noone@demo.example", ("calendar", "sso"), "Invited, but the address is nobody's."),
    Planted("leaver_organizes", "gus.haddad@demo.example", ("calendar", "sso"), "Owns a meeting of next week."),
    Planted("leaver_has_share", "gus.haddad@demo.example", ("calendar", "sso"), "May still read the team's calendar."),
    Planted("leaver_in_group", "gus.haddad@demo.example", ("sso",), "Is still in the group finance."),
    Planted("leaver_has_session", "gus.haddad@demo.example", ("sso",), "Has a session that never ended."),
    Planted("mailbox_unknown", "old.hand@demo.example", ("email", "sso"), "A mailbox of nobody."),
    Planted("file_owner_unknown", "zed.zorn@demo.example", ("cloud_storage", "sso"), "Owns old/, but is no user."),
    Planted("leaver_owns_files", "gus.haddad@demo.example", ("cloud_storage", "sso"), "Still owns sales/."),
    Planted("share_to_stranger", "999988887777", ("cloud_storage",), "An unknown account may read sales/."),
    Planted("share_to_everybody", "designs/press/", ("cloud_storage",), "Everybody may read this."),
    Planted("quota_exceeded", "designs/", ("cloud_storage",), "180,000 bytes where 150,000 are allowed."),
    Planted("backup_never_restored", "shop", ("cloud_storage",), "There is no restore test of this backup."),
    Planted("ticket_of_unknown_order", "1988", ("rest_api", "payments"), "A question about an order nobody knows."),
    Planted("leaver_has_ticket", "gus.haddad@demo.example", ("rest_api", "sso"), "An open ticket is with a leaver."),
)
