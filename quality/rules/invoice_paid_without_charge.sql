/* ---
title: Every invoice booked as paid has a payment
description: >-
  An invoice is booked as paid in the journal for the provider's payments, but the provider has no successful charge
  for it. This excludes invoices paid by transfer or in cash, which have their own journals.
next_step: Ask who booked the payment and why. Undo the booking, and remind the customer if no money arrived.
severity: warn
owner: finance
key: [order_key]
sides:
  crm_accounting: [booked_amount, invoice_id, invoice_number, customer, entry_id, booked_on]
  payments: [charged_amount, declined_charges]
needs: [payments, crm_accounting]
tolerance: {settle: P3D}
--- */
SELECT
    o.order_key,
    o.order_number,
    c.name AS customer,
    o.booked_amount,
    o.charged_amount,
    o.declined AS declined_charges,
    o.currency,
    o.invoice_id,
    o.invoice_number,
    o.entry_id,
    o.booked_on
FROM analytics.orders AS o
LEFT JOIN crm_accounting.companies AS c ON c.company_id = o.company_id AND c._deleted_at IS NULL
WHERE o.agreement = 'no_charge'
    AND o.booked_amount > 0
    AND o.booked_on < CAST(($now - $settle) AT TIME ZONE 'UTC' AS DATE)
