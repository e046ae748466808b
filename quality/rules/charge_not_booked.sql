/* ---
title: Every charge with an invoice is booked as paid
description: >-
  A charge for an order succeeded, but its invoice has been open for too long, or is still a draft. Only the lower of
  the two amounts, charged and invoiced, has to be booked.
next_step: Book the payment on the invoice. If the invoice is a draft, post it first.
severity: warn
owner: finance
key: [order_key]
sides:
  payments: [charged_amount, refunded_amount, charge_id, last_charged_at]
  crm_accounting: [booked_amount, invoiced_amount, invoice_id, invoice_number, invoice_status]
needs: [payments, crm_accounting]
tolerance: {settle: P3D, amount: 0}
--- */
SELECT
    order_key,
    order_number,
    charged_amount,
    refunded_amount,
    invoiced_amount,
    settled_amount AS booked_amount,
    LEAST(charged_amount, invoiced_amount) - settled_amount AS missing_amount,
    currency,
    last_charge_id AS charge_id,
    invoice_id,
    invoice_number,
    invoice_status,
    last_charged_at
FROM analytics.orders
WHERE charges > 0
    AND invoices > 0
    AND agreement <> 'currency'
    AND LEAST(charged_amount, invoiced_amount) - settled_amount > $amount
    AND charged_amount - refunded_amount > settled_amount - credited_amount + $amount
    AND last_charged_at < $now - $settle
