/* ---
title: Nobody pays an order twice
description: >-
  An order has two successful charges of the same amount, but only one of them is invoiced, and the other one wasn't
  refunded: somebody clicked twice, or a program tried again after a lost answer.
next_step: Refund the later charge.
severity: warn
owner: finance
key: [charge_id]
sides:
  payments: [charge_id, charged_at, first_charge_id, first_charged_at, payer_email, amount, charged_amount]
  crm_accounting: [invoiced_amount, invoice_id, invoice_number]
needs: [payments, crm_accounting]
tolerance: {settle: PT2H}
--- */
WITH charges AS (
    SELECT
        l.order_key,
        d.document_id,
        d.amount,
        d.happened_at,
        FIRST_VALUE(d.document_id) OVER same AS first_id,
        FIRST_VALUE(d.happened_at) OVER same AS first_at,
        ROW_NUMBER() OVER same AS place
    FROM analytics.money_documents AS d
    INNER JOIN analytics.money_links AS l ON l.document = d.document AND l.document_id = d.document_id
    WHERE d.document = 'charge' AND d.counts
    WINDOW same AS (PARTITION BY l.order_key, d.currency, d.amount ORDER BY d.happened_at, d.document_id)
)
SELECT
    c.document_id AS charge_id,
    o.order_key,
    o.order_number,
    o.address AS payer_email,
    c.amount,
    o.currency,
    o.charged_amount,
    o.invoiced_amount,
    c.happened_at AS charged_at,
    c.first_id AS first_charge_id,
    c.first_at AS first_charged_at,
    o.invoice_id,
    o.invoice_number
FROM charges AS c
INNER JOIN analytics.orders AS o ON o.order_key = c.order_key
WHERE c.place > 1
    AND o.agreement = 'differs'
    AND o.charged_amount - o.refunded_amount - (o.invoiced_amount - o.credited_amount) >= c.amount * (c.place - 1)
    AND c.happened_at < $now - $settle
