/* ---
title: Every lead that was won is invoiced
description: >-
  A lead was won or turned into a sale, but the company has had no invoice since the lead began. Nobody has sent it,
  or it was made out to another company.
next_step: Ask the lead's owner what was sold, and create the invoice; or reopen the lead.
severity: warn
owner: sales
key: [lead_id]
needs: [crm_accounting]
tolerance: {settle: P30D}
--- */
WITH won AS (
    SELECT lead_id, MIN(entered_at) AS won_at
    FROM crm_accounting.lead_stages
    WHERE _deleted_at IS NULL AND stage IN ('won', 'converted')
    GROUP BY lead_id
),
invoiced AS (
    SELECT customer_id, MAX(issued_on) AS last_issued_on
    FROM crm_accounting.invoices
    WHERE _deleted_at IS NULL AND status IN ('posted', 'paid')
    GROUP BY customer_id
)
SELECT
    l.lead_id,
    l.name AS lead,
    c.name AS customer,
    l.owner AS lead_owner,
    l.stage,
    l.amount,
    l.currency,
    COALESCE(w.won_at, l.updated_at) AS won_at,
    i.last_issued_on AS last_invoice_on
FROM crm_accounting.leads AS l
LEFT JOIN won AS w ON w.lead_id = l.lead_id
LEFT JOIN crm_accounting.companies AS c ON c.company_id = l.company_id AND c._deleted_at IS NULL
LEFT JOIN invoiced AS i ON i.customer_id = l.company_id
WHERE l._deleted_at IS NULL
    AND l.stage IN ('won', 'converted')
    AND COALESCE(w.won_at, l.updated_at) < $now - $settle
    AND (
        i.last_issued_on IS NULL
        OR i.last_issued_on < COALESCE(l.started_on, CAST(w.won_at AT TIME ZONE 'UTC' AS DATE))
    )
