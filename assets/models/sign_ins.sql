/* ---
description: >-
  Every attempt to sign in that is in the provider's log, with its account. A wrong login name may leave no line in
  the log, and so no row.
grain: [id]
owners: [security]
columns:
  id: Identity of the event.
  occurred_at: When it happened.
  success: Whether it succeeded.
  user_id: The account; null when the login is nobody's, or that of several.
  user_name: Login as it was typed, lower case; null when a program tried.
  factor: How it was proved, for example password; null where the log doesn't say.
  application: The application; null where the log doesn't say.
  ip: Address that it came from; null where the log doesn't say.
  network: >-
    The address without its last part: the /24 of IPv4, the first three groups of IPv6; null without an address.
  reason: Why it failed, where the log says.
checks:
  - unique: [id]
  - not_null: [id, occurred_at, success]
--- */
WITH names AS (
    SELECT name, MIN(user_id) AS user_id
    FROM (
        SELECT LOWER(user_name) AS name, id AS user_id FROM sso.users WHERE _deleted_at IS NULL
        UNION
        SELECT LOWER(email) AS name, id AS user_id FROM sso.users WHERE _deleted_at IS NULL
    ) AS logins
    WHERE name IS NOT NULL
    GROUP BY name
    HAVING COUNT(*) = 1
),
tries AS (
    SELECT
        id,
        occurred_at,
        COALESCE(success, FALSE) AS success,
        user_id,
        LOWER(user_name) AS user_name,
        factor,
        application,
        ip,
        -- ::ffff:192.0.2.1 is an IPv4 address.
        CASE WHEN ip LIKE '%.%.%.%' THEN SPLIT_PART(ip, ':', -1) END AS ipv4,
        CASE WHEN ip LIKE '%:%' AND ip NOT LIKE '%.%' THEN LOWER(ip) END AS ipv6,
        reason
    FROM sso.login_events
    WHERE _deleted_at IS NULL AND kind = 'login' AND occurred_at IS NOT NULL
)
SELECT
    t.id,
    t.occurred_at,
    t.success,
    COALESCE(t.user_id, n.user_id) AS user_id,
    t.user_name,
    t.factor,
    t.application,
    t.ip,
    CASE
        WHEN t.ipv4 IS NOT NULL
            THEN SPLIT_PART(t.ipv4, '.', 1) || '.' || SPLIT_PART(t.ipv4, '.', 2) || '.' || SPLIT_PART(t.ipv4, '.', 3)
                || '.0/24'
        WHEN t.ipv6 IS NOT NULL
            THEN SPLIT_PART(t.ipv6, ':', 1) || ':' || SPLIT_PART(t.ipv6, ':', 2) || ':' || SPLIT_PART(t.ipv6, ':', 3)
                || '::/48'
        ELSE t.ip
    END AS network,
    t.reason
FROM tries AS t
LEFT JOIN names AS n ON n.name = t.user_name
