/* ---
title: Every refund has a credit note
description: >-
  The refunds of an order exceed the credit notes to its invoice, so the books still count the money as revenue. This
  excludes orders without an invoice, money that was charged above the invoice, and refunds above the charge, which
  refund_above_charge reports.
next_step: Create the missing credit note in the books, or reverse the refund.
severity: warn
owner: finance
key: [order_key]
sides:
  payments: [refunded_amount, refunds, charged_amount, last_refunded_at]
  crm_accounting: [credited_amount, credit_notes, invoiced_amount, invoice_id, invoice_number]
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
