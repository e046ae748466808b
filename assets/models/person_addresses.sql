/* ---
description: >-
  The addresses and logins that identify each account of the identity provider: one row per address, with the one
  account that it resolves to. If several accounts claim it by the same rule, an active one takes precedence over a
  deactivated one, and that over a deleted one; then the oldest does.
owners: [people]
columns:
  address: Mail address, or login without an @; lower case.
  person_id: The account; sso.users.id.
  known_by: >-
    Why it identifies the account. sso_email: an address of the account. sso_user_name: its login.
    local_part_in_our_domain: its login, or the part before the @ of its main address, at a domain of the company.
  confidence: 1 for sso_email, 0.95 for sso_user_name, 0.7 for local_part_in_our_domain, divided by candidates.
  candidates: Accounts that claim it by the same rule and are in the same state; 1 where there is no doubt.
checks:
  - unique: address
  - not_null: [address, person_id, known_by, confidence, candidates]
  - accepted_values: {known_by: [sso_email, sso_user_name, local_part_in_our_domain]}
  - range: {confidence: {min: 0, max: 1}, candidates: {min: 1}}
--- */
WITH logins AS (
    SELECT id, CASE WHEN user_name LIKE '%@%' THEN NULL ELSE LOWER(TRIM(user_name)) END AS login
    FROM sso.users
    UNION
    SELECT id, SPLIT_PART(LOWER(TRIM(email)), '@', 1) AS login
    FROM sso.users
    WHERE email LIKE '%_@_%'
),
claims AS (
    SELECT id, email AS address, 'sso_email' AS known_by, 1 AS place
    FROM known_addresses
    WHERE known_as = 'user'
    UNION
    -- Whoever had an account that was deleted is still no stranger.
    SELECT id, LOWER(TRIM(email)) AS address, 'sso_email' AS known_by, 1 AS place
    FROM sso.users
    WHERE email LIKE '%_@_%'
    UNION
    SELECT id, LOWER(TRIM(user_name)) AS address, 'sso_user_name' AS known_by, 2 AS place
    FROM sso.users
    UNION
    SELECT l.id, l.login || '@' || d.domain AS address, 'local_part_in_our_domain' AS known_by, 3 AS place
    FROM logins AS l
    CROSS JOIN our_domains AS d -- four at most
    WHERE l.login IS NOT NULL
),
ranked AS (
    SELECT
        c.address,
        c.id AS person_id,
        c.known_by,
        CASE c.place WHEN 1 THEN 1.0 WHEN 2 THEN 0.95 ELSE 0.7 END AS confidence,
        ROW_NUMBER() OVER (
            PARTITION BY c.address
            ORDER BY
                c.place,
                CASE WHEN u._deleted_at IS NOT NULL THEN 2 WHEN u.active IS FALSE THEN 1 ELSE 0 END,
                CASE WHEN u.created_at IS NULL THEN 1 ELSE 0 END,
                u.created_at,
                c.id
        ) AS position,
        COUNT(*) OVER (
            PARTITION BY
                c.address,
                c.place,
                CASE WHEN u._deleted_at IS NOT NULL THEN 2 WHEN u.active IS FALSE THEN 1 ELSE 0 END
        ) AS candidates
    FROM claims AS c
    JOIN sso.users AS u ON u.id = c.id
    WHERE c.address <> ''
)
SELECT
    address,
    person_id,
    known_by,
    CAST(confidence / candidates AS DOUBLE) AS confidence,
    candidates
FROM ranked
WHERE position = 1
