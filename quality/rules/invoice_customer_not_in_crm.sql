/* ---
title: Every invoice's customer is a contact of the CRM
description: >-
  A customer has invoices, but the CRM has no contact there, neither a person nor the company's own address, or the
  company itself is gone from the CRM. If the payer is missing too, payer_not_in_crm reports it.
next_step: Add the customer's responsible person to the CRM.
severity: warn
owner: sales
key: [customer_id]
tolerance: {settle: P1D}
--- */
WITH invoiced AS (
    SELECT
        customer_id,
        COUNT(*) AS invoices,
        MAX(number) AS invoice_number,
        MIN(issued_on) AS first_issued_on,
        MAX(issued_on) AS last_issued_on
    FROM crm_accounting.invoices
    WHERE _deleted_at IS NULL AND status IN ('posted', 'paid') AND customer_id IS NOT NULL
    GROUP BY customer_id
),
reached AS (
    SELECT DISTINCT company_id FROM crm_accounting.contacts WHERE _deleted_at IS NULL AND company_id IS NOT NULL
),
known AS (
    SELECT DISTINCT plain_email FROM analytics.known_addresses WHERE known_as IN ('contact', 'company')
),
payers AS (
    SELECT DISTINCT o.company_id
    FROM analytics.orders AS o
    LEFT JOIN known AS k ON k.plain_email = REGEXP_REPLACE(o.address, '[+][^@]*@', '@')
    WHERE o.charges > 0 AND o.address IS NOT NULL AND k.plain_email IS NULL
)
SELECT
    i.customer_id,
    c.name AS customer,
    c.company_id AS company_in_crm,
    i.invoices,
    i.invoice_number,
    i.first_issued_on,
    i.last_issued_on
FROM invoiced AS i
LEFT JOIN crm_accounting.companies AS c ON c.company_id = i.customer_id AND c._deleted_at IS NULL
LEFT JOIN reached AS r ON r.company_id = i.customer_id
LEFT JOIN payers AS p ON p.company_id = i.customer_id
WHERE (c.company_id IS NULL OR r.company_id IS NULL AND c.email IS NULL)
    AND p.company_id IS NULL
    AND i.first_issued_on < CAST(($now - $settle) AT TIME ZONE 'UTC' AS DATE)
