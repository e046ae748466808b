/* ---
title: A receipt mail exists for every charge
description: >-
  A charge succeeded, but no receipt was sent since, neither from a mailbox of the company nor by the payment
  provider. This excludes charges from before the oldest receipt in the mailboxes. The rule receipt_bounced reports
  receipts that came back.
next_step: Send the receipt, and check why the shop didn't.
severity: warn
owner: sales
key: [charge_id]
sides:
  payments: [charge_id, payer_email, charged_amount, currency, charged_at]
  email: [receipts, last_receipt_at]
needs: [payments, email]
tolerance: {settle: PT2H, skew: PT1H}
--- */
WITH begun AS (
    SELECT MIN(happened_at) AS at FROM analytics.money_documents WHERE document = 'receipt'
)
SELECT
    o.last_charge_id AS charge_id,
    o.order_key,
    o.order_number,
    o.address AS payer_email,
    o.charged_amount,
    o.currency,
    o.last_charged_at AS charged_at,
    o.receipts,
    o.last_receipt_at
FROM analytics.orders AS o
CROSS JOIN begun AS b
WHERE o.charges > 0
    AND o.receipts_bounced = 0
    AND (o.last_receipt_at IS NULL OR o.last_receipt_at < o.last_charged_at - $skew)
    AND o.last_charged_at < $now - $settle
    AND o.last_charged_at >= b.at - $skew
