/* ---
title: What the books have as paid came in
description: >-
  An invoice is booked as paid by the journal in which the provider's payments are booked, and the provider knows of
  no charge that succeeded. Invoices that are paid by transfer or in cash have journals of their own and aren't meant.
next_step: Find out who booked the payment and why; undo the booking, and remind the customer if nothing came in.
severity: warn
owner: finance
key: [order_key]
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
