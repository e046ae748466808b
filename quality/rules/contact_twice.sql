/* ---
title: No contact is in the CRM twice
description: >-
  Two contacts have the same mail address, and the same name or different companies. This excludes several people of
  one company who share an address, and archived or merged records.
next_step: Merge the two in the CRM, and move invoices and leads to the one that stays.
severity: warn
owner: sales
key: [email]
--- */
WITH contacts AS (
    SELECT
        a.email,
        a.id,
        a.company_id,
        a.name,
        LOWER(TRIM(a.name)) AS plain_name,
        c.name AS company
    FROM analytics.known_addresses AS a
    INNER JOIN crm_accounting.contacts AS p ON p.contact_id = a.id AND p._deleted_at IS NULL
    LEFT JOIN crm_accounting.companies AS c ON c.company_id = a.company_id AND c._deleted_at IS NULL
    WHERE a.known_as = 'contact'
        AND NOT a.archived
        AND NOT COALESCE(c.archived, FALSE)
        AND c.merged_into IS NULL
        AND NOT COALESCE(p.is_office, FALSE)
)
SELECT
    email,
    COUNT(*) AS contacts,
    MIN(id) AS contact_id,
    MAX(id) AS other_contact_id,
    MIN(name) AS name,
    MAX(name) AS other_name,
    MIN(company) AS company,
    MAX(company) AS other_company
FROM contacts
GROUP BY email
HAVING COUNT(*) > COUNT(DISTINCT plain_name) OR COUNT(DISTINCT company_id) > 1
