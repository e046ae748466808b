/* ---
description: >-
  The mail domains of the company: those in which at least a quarter of the accounts of the identity provider have
  their main address, and in which the CRM has fewer contacts than the identity provider has accounts. So the domain
  of a mail provider where one employee has a mailbox doesn't count.
grain: [domain]
owners: [people]
optional: [crm_accounting]
columns:
  domain: The domain, lower case.
  accounts: Accounts with their main address in it, deactivated ones included.
  share: Their share of all accounts that have an address, 0 to 1.
checks:
  - unique: domain
  - not_null: domain
  - range: {share: {min: 0.25, max: 1}}
--- */
WITH accounts AS (
    SELECT
        SPLIT_PART(LOWER(TRIM(email)), '@', 2) AS domain,
        COUNT(*) AS accounts
    FROM sso.users
    WHERE _deleted_at IS NULL AND email LIKE '%_@_%'
    GROUP BY SPLIT_PART(LOWER(TRIM(email)), '@', 2)
),
total AS (
    SELECT CAST(SUM(accounts) AS DOUBLE) AS accounts FROM accounts
),
strangers AS (
    -- A contact with an account is one of us, whatever the CRM has them for.
    SELECT
        SPLIT_PART(LOWER(TRIM(c.email)), '@', 2) AS domain,
        COUNT(DISTINCT LOWER(TRIM(c.email))) AS contacts
    FROM crm_accounting.contacts AS c
    LEFT JOIN sso.users AS u ON LOWER(TRIM(u.email)) = LOWER(TRIM(c.email)) AND u._deleted_at IS NULL
    WHERE c._deleted_at IS NULL AND c.email LIKE '%_@_%' AND u.id IS NULL
    GROUP BY SPLIT_PART(LOWER(TRIM(c.email)), '@', 2)
)
SELECT
    a.domain,
    a.accounts,
    CAST(a.accounts / t.accounts AS DOUBLE) AS share
FROM accounts AS a
CROSS JOIN total AS t
LEFT JOIN strangers AS s ON s.domain = a.domain
WHERE a.accounts / t.accounts >= 0.25 AND COALESCE(s.contacts, 0) < a.accounts
