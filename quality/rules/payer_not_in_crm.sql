/* ---
title: Every payer is a contact of the CRM
description: >-
  Somebody paid with a mail address that no contact and no company of the CRM has. The part after a plus sign in an
  address doesn't count. It is a new customer whom nobody has entered, or a customer who paid with another address.
next_step: Add the contact to the CRM, or add the address to the contact that it belongs to.
severity: warn
owner: sales
key: [payer_email]
sides:
  payments: [payer, charges, first_paid_at, last_paid_at, charge_id]
  crm_accounting: [contacts]
needs: [payments, crm_accounting]
tolerance: {settle: P1D}
--- */
WITH known AS (
    SELECT DISTINCT plain_email FROM analytics.known_addresses WHERE known_as IN ('contact', 'company')
),
paid AS (
    SELECT
        REGEXP_REPLACE(d.address, '[+][^@]*@', '@') AS payer_email,
        COUNT(*) AS charges,
        MIN(d.happened_at) AS first_paid_at,
        MAX(d.happened_at) AS last_paid_at,
        MAX(d.document_id) AS charge_id,
        MAX(l.order_number) AS order_number
    FROM analytics.money_documents AS d
    INNER JOIN analytics.money_links AS l ON l.document = d.document AND l.document_id = d.document_id
    WHERE d.document = 'charge' AND d.counts AND d.address LIKE '%_@_%'
    GROUP BY REGEXP_REPLACE(d.address, '[+][^@]*@', '@')
)
SELECT
    p.payer_email,
    u.name AS payer,
    p.charges,
    p.first_paid_at,
    p.last_paid_at,
    p.charge_id,
    p.order_number,
    CAST(0 AS BIGINT) AS contacts
FROM paid AS p
LEFT JOIN known AS k ON k.plain_email = p.payer_email
LEFT JOIN (
    SELECT LOWER(TRIM(email)) AS email, MIN(name) AS name
    FROM payments.customers
    WHERE _deleted_at IS NULL
    GROUP BY LOWER(TRIM(email))
) AS u ON u.email = p.payer_email
WHERE k.plain_email IS NULL AND p.first_paid_at < $now - $settle
