/* ---
title: Charge and invoice have the same amount
description: >-
  What was charged for an order isn't what was invoiced, or is in another currency. A part payment isn't meant, whose
  rest is still open or was paid otherwise; neither is what is equal once refunds and credit notes are taken off.
  Amounts that are wrong by ten, a hundred or a thousand are told by currency_exponent_wrong.
next_step: Compare the order's lines with the invoice; correct the invoice, or give back or ask for the difference.
severity: warn
owner: finance
key: [order_key]
needs: [payments, crm_accounting]
tolerance: {settle: P1D, amount: 0}
--- */
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
WHERE o.charged_at < $now - $settle
    AND (
        o.agreement = 'currency'
        OR o.agreement = 'differs' AND ABS(o.charged_amount - o.invoiced_amount) > $amount
    )
