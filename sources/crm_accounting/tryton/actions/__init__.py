"""How Tryton does the verbs of CRM and accounting, by its REST API (``trytond/protocols/rest.py`` of Tryton 8.2).

Tryton's REST API takes no condition with a change. So leat reads a record again right before it changes it, and leaves
it if somebody has changed it since the plan; what somebody changes within the same moment it can't see. What is made
carries the id of the action: as the unique code of a party, as reference of a lead or an invoice, as description of an
entry. The API calls no wizards: leat writes credit notes and payments itself, and can't reconcile a payment.
"""

from __future__ import annotations

from leat.sources.actions import Action
from leat.sources.crm_accounting.tryton.actions import contacts, drafts, leads, payments, posting, rendering
from leat.sources.crm_accounting.tryton.actions.database import connect

__all__ = ["ACTIONS", "connect"]

ACTIONS = {
    "create_contact": Action(
        contacts.plan_new, contacts.send_new, contacts.confirm_new, contacts.probe_new, contacts.undo_new
    ),
    "update_contact": Action(
        contacts.plan_change, contacts.send_change, contacts.confirm_change, contacts.probe_change, contacts.undo_change
    ),
    "create_lead": Action(leads.plan_new, leads.send_new, leads.confirm_new, leads.probe_new, leads.undo_new),
    "update_lead": Action(
        leads.plan_change, leads.send_change, leads.confirm_change, leads.probe_change, leads.undo_change
    ),
    "set_lead_stage": Action(
        leads.plan_stage, leads.send_stage, leads.confirm_stage, leads.probe_stage, leads.undo_stage
    ),
    "create_invoice": Action(drafts.plan_invoice, drafts.send, drafts.confirm, drafts.probe, drafts.undo),
    "credit_invoice": Action(drafts.plan_credit, drafts.send, drafts.confirm, drafts.probe, drafts.undo),
    "post_invoice": Action(posting.plan_post, posting.send, posting.confirm, posting.probe, posting.undo_post),
    "void_invoice": Action(posting.plan_void, posting.send, posting.confirm, posting.probe, posting.undo_void),
    "book_payment": Action(payments.plan, payments.send, payments.confirm, payments.probe, payments.undo),
    "render_invoice": Action(rendering.plan, rendering.send, rendering.confirm, rendering.probe, rendering.undo),
}
