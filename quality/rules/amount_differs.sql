/* ---
title: Charge and invoice have the same amount
description: >-
  The amount charged for an order differs from the amount invoiced, or is in another currency. This excludes part
  payments whose rest is still open or was paid in another way, and orders that are equal once refunds and credit
  notes are deducted. The rule charged_twice reports orders that were paid twice, and currency_exponent_wrong amounts
  that are wrong by a factor of ten, a hundred or a thousand.
next_step: Compare the order's lines with the invoice. Correct the invoice, or refund or request the difference.
severity: warn
owner: finance
key: [order_key]
sides:
  payments: [charged_amount, currency, charges, charge_id, charged_at]
  crm_accounting: [invoiced_amount, invoice_currency, invoices, invoice_id, invoice_number, invoiced_on]
needs: [payments, crm_accounting]
tolerance: {settle: P1D, amount: 0}
--- */
WITH charges AS (
    SELECT
        l.order_key,
        d.amount,
        ROW_NUMBER() OVER (
            PARTITION BY l.order_key, d.currency, d.amount ORDER BY d.happened_at, d.document_id
        ) AS place
    FROM analytics.money_documents AS d
    INNER JOIN analytics.money_links AS l ON l.document = d.document AND l.document_id = d.document_id
    WHERE d.document = 'charge' AND d.counts
),
again AS (
    SELECT order_key, SUM(amount) AS amount FROM charges WHERE place > 1 GROUP BY order_key
)
SELECT
    o.order_key,
    o.order_number,
    o.charged_amount,
    o.invoiced_amount,
    o.charged_amount - o.invoiced_amount AS difference,
    o.currency,
    i.currency AS invoice_currency,
    o.charges,
    o.invoices,
    o.last_charge_id AS charge_id,
    o.invoice_id,
    o.invoice_number,
    o.charged_at,
    o.invoiced_on
FROM analytics.orders AS o
LEFT JOIN crm_accounting.invoices AS i ON i.invoice_id = o.invoice_id AND i._deleted_at IS NULL
LEFT JOIN again AS a ON a.order_key = o.order_key
WHERE o.charged_at < $now - $settle
    AND (
        o.agreement = 'currency'
        OR o.agreement = 'differs'
        AND ABS(o.charged_amount - o.invoiced_amount) > $amount
        AND o.charged_amount - o.refunded_amount - (o.invoiced_amount - o.credited_amount) <> COALESCE(a.amount, 0)
    )
