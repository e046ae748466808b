/* ---
description: >-
  Every company of the CRM, and its matches in the other systems. A record that was merged into another counts as that
  one. Payers that aren't in the CRM are only in analytics.company_identities.
owners: [sales]
columns:
  company_id: The company; crm_accounting.companies.company_id.
  number: Number that the CRM gave it.
  name: Name.
  is_ours: Whether it is the company that the books belong to.
  archived: Whether the CRM has put it aside.
  contacts: People who are its contacts.
  merged_records: Further records of the CRM that were merged into it.
  payments_customers: Customers of payments that are this company.
  mail_domains: Mail domains that were seen anywhere and are taken for its own.
  doubtful_identities: Of all these, the ones that might be another company, with a confidence below 0.9.
checks:
  - unique: company_id
  - not_null: [company_id, is_ours, archived]
  - range: {contacts: {min: 0}, payments_customers: {min: 0}}
--- */
WITH contacts AS (
    SELECT company_id, COUNT(*) AS contacts
    FROM crm_accounting.contacts
    WHERE _deleted_at IS NULL AND company_id IS NOT NULL
    GROUP BY company_id
),
ours AS (
    SELECT DISTINCT company_id FROM crm_accounting.company WHERE _deleted_at IS NULL
),
seen AS (
    SELECT
        company_id,
        COUNT(*) FILTER (WHERE matched_by = 'crm_merged') AS merged_records,
        COUNT(*) FILTER (WHERE kind = 'customer') AS payments_customers,
        COUNT(DISTINCT CASE WHEN kind = 'mail domain' THEN identity END) AS mail_domains,
        COUNT(*) FILTER (WHERE confidence < 0.9) AS doubtful_identities
    FROM company_identities
    WHERE company_id IS NOT NULL
    GROUP BY company_id
)
SELECT
    c.company_id,
    c.number,
    c.name,
    o.company_id IS NOT NULL AS is_ours,
    COALESCE(c.archived, FALSE) AS archived,
    COALESCE(p.contacts, 0) AS contacts,
    COALESCE(s.merged_records, 0) AS merged_records,
    COALESCE(s.payments_customers, 0) AS payments_customers,
    COALESCE(s.mail_domains, 0) AS mail_domains,
    COALESCE(s.doubtful_identities, 0) AS doubtful_identities
FROM crm_accounting.companies AS c
LEFT JOIN contacts AS p ON p.company_id = c.company_id
LEFT JOIN ours AS o ON o.company_id = c.company_id
LEFT JOIN seen AS s ON s.company_id = c.company_id
WHERE c._deleted_at IS NULL AND c.merged_into IS NULL
