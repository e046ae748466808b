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
    Planted("refund_above_charge", "1004", ("payments",), "49.00 EUR were charged, 69.00 EUR refunded."),
    Planted("refund_without_credit_note", "1004", ("payments", "crm_accounting"), "The books lack a credit note."),
    Planted("charged_twice", "1024", ("payments", "crm_accounting"), "The customer paid the same order twice."),
    Planted("double_refund", "1011", ("payments",), "30.00 EUR were refunded twice on one day."),
    Planted("charge_without_invoice", "1020", ("payments", "crm_accounting"), "Paid, but never invoiced."),
    Planted("charge_without_invoice", "1022", ("payments", "crm_accounting"), "Paid, but never invoiced."),
    Planted("invoice_paid_without_charge", "1021", ("crm_accounting", "payments"), "Booked as paid; nothing came in."),
    Planted("amount_differs", "1009", ("payments", "crm_accounting"), "The invoice is one cent above the charge."),
    Planted("currency_exponent_wrong", "1013", ("payments", "crm_accounting"), "16,000 yen became 160 in the books."),
    Planted("charge_not_booked", "1018", ("payments", "crm_accounting"), "Charged, but the invoice is still open."),
    Planted("receipt_missing", "1007", ("payments", "email"), "The customer got no receipt."),
    Planted("receipt_missing", "1016", ("payments", "email"), "The customer got no receipt."),
    Planted("receipt_without_charge", "1999", ("email", "payments"), "A receipt for an order that doesn't exist."),
    Planted("receipt_bounced", "1012", ("email",), "The receipt bounced."),
    Planted("payer_not_in_crm", "quentin@quill.example", ("payments", "crm_accounting"), "The CRM lacks the payer."),
    Planted("contact_twice", "dora@dogwood.example", ("crm_accounting",), "The CRM has the same contact twice."),
    Planted("lead_won_without_invoice", "New office of Larch Labs", ("crm_accounting",), "Won, never invoiced."),
    Planted("payout_residual", "EUR", ("payments",), "The last payout is 3.00 EUR below its transactions."),
    Planted("invoice_file_missing", "1025", ("crm_accounting", "cloud_storage"), "The storage lacks the PDF."),
    Planted("author_unknown", "mallory@elsewhere.example", ("version_control", "sso"), "Committed, but isn't a user."),
    Planted("leaver_commits", "gus.haddad@demo.example", ("version_control", "sso"), "Committed after leaving."),
    Planted("organizer_unknown", "erin.guest@partner.example", ("calendar", "sso"), "Organizes, but isn't a user."),
    Planted("attendee_unknown", "noone@demo.example", ("calendar", "sso"), "Invited, but the address isn't a user's."),
    Planted("leaver_organizes", "gus.haddad@demo.example", ("calendar", "sso"), "Organizes a meeting next week."),
    Planted("leaver_has_share", "gus.haddad@demo.example", ("calendar", "sso"), "May still read the team's calendar."),
    Planted("leaver_in_group", "gus.haddad@demo.example", ("sso",), "Is still in the group finance."),
    Planted("leaver_has_session", "gus.haddad@demo.example", ("sso",), "Has a session that never ended."),
    Planted("mailbox_unknown", "old.hand@demo.example", ("email", "sso"), "The mailbox belongs to no user."),
    Planted("file_owner_unknown", "zed.zorn@demo.example", ("cloud_storage", "sso"), "Owns old/, but isn't a user."),
    Planted("leaver_owns_files", "gus.haddad@demo.example", ("cloud_storage", "sso"), "Still owns sales/."),
    Planted("share_to_stranger", "999988887777", ("cloud_storage",), "An unknown account may read sales/."),
    Planted("share_to_everybody", "designs/press/", ("cloud_storage",), "Everybody may read this folder."),
    Planted("quota_exceeded", "designs/", ("cloud_storage",), "180,000 bytes where 150,000 are allowed."),
    Planted("backup_never_restored", "shop", ("cloud_storage",), "Nobody has tested restoring this backup."),
    Planted("ticket_of_unknown_order", "1988", ("support", "payments"), "Is about an order that doesn't exist."),
    Planted("leaver_has_ticket", "gus.haddad@demo.example", ("support", "sso"), "Has an open ticket assigned."),
)
