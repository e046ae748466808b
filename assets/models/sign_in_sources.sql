/* ---
description: >-
  The attempts to sign in from each address on each day: how many logins, and with what success. An address that tries
  many accounts is guessing passwords, even if each account alone looks quiet.
grain: [day, ip]
owners: [security]
columns:
  day: Day (UTC).
  ip: Address; empty where the log doesn't say.
  network: The address without its last part; null without an address.
  tries: Tries to sign in.
  failed: Those that failed.
  logins: Different logins that were typed.
  failed_logins: Different logins with a try that failed.
  accounts_entered: Different accounts that signed in.
  is_guessing: Whether tries failed for five logins or more.
  first_at: When the first try was.
  last_at: When the last try was.
checks:
  - unique: [day, ip]
  - not_null: [day, ip]
  - range: {tries: {min: 1}, failed: {min: 0}}
--- */
SELECT
    CAST(DATE_TRUNC('day', occurred_at AT TIME ZONE 'UTC') AS DATE) AS day,
    COALESCE(ip, '') AS ip,
    MAX(network) AS network,
    COUNT(*) AS tries,
    COUNT(*) FILTER (WHERE NOT success) AS failed,
    COUNT(DISTINCT user_name) AS logins,
    COUNT(DISTINCT CASE WHEN NOT success THEN user_name END) AS failed_logins,
    COUNT(DISTINCT CASE WHEN success THEN user_id END) AS accounts_entered,
    COUNT(DISTINCT CASE WHEN NOT success THEN user_name END) >= 5 AS is_guessing,
    MIN(occurred_at) AS first_at,
    MAX(occurred_at) AS last_at
FROM sign_ins
GROUP BY CAST(DATE_TRUNC('day', occurred_at AT TIME ZONE 'UTC') AS DATE), COALESCE(ip, '')
