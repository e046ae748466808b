/* ---
title: Every paid charge has an invoice
description: >-
  A charge for an order succeeded, but the books have no invoice for it, not even a draft. This excludes charges that
  were refunded in full, and charges from before the first invoice of the books.
next_step: Create the invoice in the books, with the order's number as its reference.
severity: warn
owner: finance
key: [order_key]
sides:
  payments: [charged_amount, charges, charge_id, charged_at, payer_email]
  crm_accounting: [invoiced_amount]
needs: [payments, crm_accounting]
tolerance: {settle: P1D}
--- */
WITH begun AS (
    SELECT MIN(issued_on) AS on_day FROM crm_accounting.invoices WHERE _deleted_at IS NULL AND status <> 'cancelled'
)
SELECT
    o.order_key,
    o.order_number,
    o.address AS payer_email,
    o.charged_amount,
    o.invoiced_amount,
    o.currency,
    o.charges,
    o.last_charge_id AS charge_id,
    o.charged_at
FROM analytics.orders AS o
CROSS JOIN begun AS b
WHERE o.agreement = 'no_invoice'
    AND o.charged_amount > o.refunded_amount
    AND o.charged_at < $now - $settle
    AND CAST(o.charged_at AT TIME ZONE 'UTC' AS DATE) >= b.on_day
