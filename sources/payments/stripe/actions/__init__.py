"""How Stripe does the verbs of payments (docs.stripe.com/api/refunds, /api/payment_intents, /api/idempotent_requests).

Every request that changes something carries the id of its action, as ``Idempotency-Key`` and, where Stripe takes it, as
``metadata.leat_action``. Stripe remembers a key for a day and answers a second request with what it answered to the
first, also with its failures: an action that failed inside Stripe is planned again as a new one. Before each attempt
leat looks whether the effect is there, so that nothing depends on the key alone.
"""

from __future__ import annotations

from leat.sources.actions import Action
from leat.sources.payments.stripe.actions import hold, refund, verify
from leat.sources.payments.stripe.actions.account import KEY_LASTS, connect

__all__ = ["ACTIONS", "connect"]

ACTIONS = {
    "refund": Action(refund.plan, refund.send, refund.confirm, refund.probe, refund.undo, guarded_for=KEY_LASTS),
    "capture": Action(
        hold.plan_capture,
        hold.send_capture,
        hold.confirm_capture,
        hold.probe_capture,
        hold.undo_capture,
        guarded_for=KEY_LASTS,
    ),
    "cancel": Action(
        hold.plan_cancel,
        hold.send_cancel,
        hold.confirm_cancel,
        hold.probe_cancel,
        hold.undo_cancel,
        guarded_for=KEY_LASTS,
    ),
    "verify": Action(verify.plan, verify.send, verify.confirm, verify.probe, verify.undo),
}
