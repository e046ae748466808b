/* ---
title: The storage has every invoice
description: >-
  An invoice is posted, but the storage has no file (PDF or ODT) named after it or its order. The rule reports nothing
  while the storage has no invoices at all.
next_step: Print the invoice into the storage again, and check why it is missing.
severity: warn
owner: finance
key: [invoice_id]
sides:
  crm_accounting: [invoice_id, invoice_number, customer, invoiced_amount, currency, issued_on]
  cloud_storage: [files]
needs: [crm_accounting, cloud_storage]
tolerance: {settle: P1D}
--- */
WITH kept AS (
    SELECT MIN(document_id) AS some_file FROM analytics.money_documents WHERE document = 'file'
)
SELECT
    i.invoice_id,
    i.number AS invoice_number,
    o.order_number,
    c.name AS customer,
    i.amount AS invoiced_amount,
    i.currency,
    i.issued_on,
    o.files
FROM crm_accounting.invoices AS i
INNER JOIN analytics.money_links AS l ON l.document = 'invoice' AND l.document_id = i.invoice_id
INNER JOIN analytics.orders AS o ON o.order_key = l.order_key
CROSS JOIN kept AS k
LEFT JOIN crm_accounting.companies AS c ON c.company_id = i.customer_id AND c._deleted_at IS NULL
WHERE i._deleted_at IS NULL
    AND i.status IN ('posted', 'paid')
    AND k.some_file IS NOT NULL
    AND o.files = 0
    AND i.issued_on < CAST(($now - $settle) AT TIME ZONE 'UTC' AS DATE)
