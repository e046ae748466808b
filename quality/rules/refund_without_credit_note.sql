/* ---
title: Every refund has a credit note
description: >-
  More was given back for an order than the credit notes to its invoice say, so that the books still count it as
  revenue. None is needed for an order without an invoice, for what was taken above the invoice, and for what was given
  back above the charge, which refund_above_charge tells.
next_step: Make the credit note that is missing in the books, or take back the refund.
severity: warn
owner: finance
key: [order_key]
needs: [payments, crm_accounting]
tolerance: {settle: P3D, amount: 0}
--- */
SELECT
    order_key,
    order_number,
    refunded_amount,
    credited_amount,
    currency,
    refunds,
    credit_notes,
    charged_amount,
    invoiced_amount,
    invoice_id,
    invoice_number,
    last_refunded_at
FROM analytics.orders
WHERE invoices > 0
    AND LEAST(refunded_amount, charged_amount) > credited_amount + $amount
    AND (charged_amount = invoiced_amount OR charged_amount - refunded_amount <> invoiced_amount - credited_amount)
    AND last_refunded_at < $now - $settle
