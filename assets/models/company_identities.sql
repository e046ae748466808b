/* ---
description: >-
  Every company as it appears in each system, and the company of the CRM that it matches: records of the CRM itself,
  customers of payments, and the mail domains of outside people from any system. leat tries the rules in the order of
  matched_by, and the first match counts. Companies that no rule resolves are here too, without company_id.
owners: [sales]
optional: [crm_accounting, payments]
columns:
  system: The integration that it was seen in.
  kind: company (crm_accounting), customer (payments), or mail domain (any system).
  identity: Id of the company or customer, or the domain in lower case.
  name: Name that the system has for it; of a domain null.
  domain: Domain of its mail address, lower case; null without one.
  company_id: The company of the CRM; null when it is unresolved.
  matched_by: >-
    The rule. crm_company: it is the record itself. crm_merged: the record was merged into that one. address: its mail
    address is that of a contact or company. company_name: it is called like exactly one company. our_domain: one of our
    own mail domains. mail_domain: only contacts of that company have addresses in the domain. Null when it is
    unresolved.
  confidence: >-
    1 for crm_company, crm_merged and our_domain; for address that of analytics.identities; 0.8 for company_name; for
    mail_domain 0.6 where the company has several addresses there and 0.4 where it has one, for it may be the domain of
    a mail provider; 0 when it is unresolved.
  candidates: >-
    How many companies the rule matches; more than 1 means doubt. If several companies have addresses in a domain, it
    stays unresolved, with their number here.
  seen: Addresses, of a domain; else 1.
checks:
  - unique: [system, kind, identity]
  - not_null: [system, kind, identity, confidence, candidates, seen]
  - accepted_values: {kind: [company, customer, mail domain]}
  - range: {confidence: {min: 0, max: 1}, candidates: {min: 0}}
--- */
WITH records AS (
    SELECT c.company_id, c.name, LOWER(TRIM(c.email)) AS email, COALESCE(n.company_id, c.company_id) AS kept_id
    FROM crm_accounting.companies AS c
    LEFT JOIN crm_accounting.companies AS m ON m.company_id = c.merged_into AND m._deleted_at IS NULL
    LEFT JOIN crm_accounting.companies AS n
        ON n.company_id = COALESCE(m.merged_into, m.company_id) AND n._deleted_at IS NULL
    WHERE c._deleted_at IS NULL
),
names AS (
    SELECT LOWER(TRIM(name)) AS name, MIN(kept_id) AS company_id
    FROM records
    WHERE TRIM(name) <> ''
    GROUP BY LOWER(TRIM(name))
    HAVING COUNT(DISTINCT kept_id) = 1
),
domains AS (
    SELECT
        SPLIT_PART(k.email, '@', 2) AS domain,
        MIN(r.kept_id) AS company_id,
        COUNT(DISTINCT r.kept_id) AS candidates,
        COUNT(DISTINCT k.email) AS addresses
    FROM known_addresses AS k
    JOIN records AS r ON r.company_id = k.company_id
    GROUP BY SPLIT_PART(k.email, '@', 2)
),
ours AS (
    SELECT MIN(company_id) AS company_id, COUNT(DISTINCT company_id) AS candidates
    FROM crm_accounting.company
    WHERE _deleted_at IS NULL AND company_id IS NOT NULL
),
addresses AS (
    SELECT system, kind, identity, company_id, confidence, candidates, resolved_to
    FROM identities
    WHERE identity LIKE '%_@_%'
),
seen AS (
    SELECT
        'crm_accounting' AS system, 'company' AS kind, company_id AS identity, name, email,
        SPLIT_PART(email, '@', 2) AS domain, 1 AS seen
    FROM records
    UNION ALL
    SELECT 'payments', 'customer', id, name, LOWER(TRIM(email)), SPLIT_PART(LOWER(TRIM(email)), '@', 2), 1
    FROM payments.customers
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT system, 'mail domain', SPLIT_PART(identity, '@', 2), CAST(NULL AS VARCHAR), CAST(NULL AS VARCHAR),
        SPLIT_PART(identity, '@', 2), COUNT(DISTINCT identity)
    FROM addresses
    WHERE resolved_to <> 'person'
    GROUP BY system, SPLIT_PART(identity, '@', 2)
),
matches AS (
    SELECT s.system, s.kind, s.identity, 1 AS place,
        CASE WHEN r.kept_id = r.company_id THEN 'crm_company' ELSE 'crm_merged' END AS matched_by,
        r.kept_id AS company_id, 1.0 AS confidence, 1 AS candidates
    FROM seen AS s
    JOIN records AS r ON r.company_id = s.identity
    WHERE s.kind = 'company'
    UNION ALL
    SELECT s.system, s.kind, s.identity, 2, 'address', r.kept_id, a.confidence, a.candidates
    FROM seen AS s
    JOIN addresses AS a ON a.system = 'payments' AND a.kind = 'customer' AND a.identity = s.email
    JOIN records AS r ON r.company_id = a.company_id
    WHERE s.kind = 'customer'
    UNION ALL
    SELECT s.system, s.kind, s.identity, 3, 'company_name', n.company_id, 0.8, 1
    FROM seen AS s
    JOIN names AS n ON n.name = LOWER(TRIM(s.name))
    WHERE s.kind = 'customer'
    UNION ALL
    SELECT s.system, s.kind, s.identity, 4, 'our_domain', o.company_id, 1.0 / o.candidates, o.candidates
    FROM seen AS s
    JOIN our_domains AS d ON d.domain = s.domain
    CROSS JOIN ours AS o -- one row
    WHERE o.company_id IS NOT NULL
    UNION ALL
    SELECT s.system, s.kind, s.identity, 5, 'mail_domain', CASE WHEN d.candidates = 1 THEN d.company_id END,
        CASE WHEN d.candidates > 1 THEN 0.0 WHEN d.addresses > 1 THEN 0.6 ELSE 0.4 END, d.candidates
    FROM seen AS s
    JOIN domains AS d ON d.domain = s.domain
),
best AS (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY system, kind, identity ORDER BY place) AS position
    FROM matches
)
SELECT
    s.system,
    s.kind,
    s.identity,
    s.name,
    CASE WHEN s.domain <> '' THEN s.domain END AS domain,
    b.company_id,
    CASE WHEN b.company_id IS NOT NULL THEN b.matched_by END AS matched_by,
    CAST(COALESCE(b.confidence, 0) AS DOUBLE) AS confidence,
    COALESCE(b.candidates, 0) AS candidates,
    s.seen
FROM seen AS s
LEFT JOIN best AS b
    ON b.system = s.system AND b.kind = s.kind AND b.identity = s.identity AND b.position = 1
