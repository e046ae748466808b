/* ---
description: >-
  Failed attempts to sign in, by day, login and address, with the densest burst of them. Days, logins and addresses
  without a failed attempt are left out.
grain: [user_name, ip]
owners: [security]
columns:
  day: Day (UTC).
  user_name: Login as it was typed, lower case; empty when a program tried.
  ip: Address that they came from; empty where the log doesn't say.
  user_id: The account; null when the login is nobody's.
  failed: Tries that failed.
  succeeded: Times that the same login signed in from the same address on that day.
  first_at: When the first one failed.
  last_at: When the last one failed.
  most_in_10_minutes: The most that failed within ten minutes of each other.
  is_burst: Whether that is five or more.
  succeeded_after: Whether the same login signed in from the same address on that day, after the last one had failed.
checks:
  - unique: [day, user_name, ip]
  - not_null: [day, user_name, ip]
  - range: {failed: {min: 1}, most_in_10_minutes: {min: 1}}
--- */
WITH tries AS (
    SELECT
        id,
        CAST(DATE_TRUNC('day', occurred_at AT TIME ZONE 'UTC') AS DATE) AS day,
        occurred_at,
        success,
        COALESCE(user_name, '') AS user_name,
        COALESCE(ip, '') AS ip,
        user_id
    FROM sign_ins
),
failures AS (
    SELECT
        *,
        COUNT(*) OVER (
            PARTITION BY user_name, ip
            ORDER BY occurred_at
            RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW
        ) AS burst
    FROM tries
    WHERE NOT success
),
sums AS (
    SELECT
        day,
        user_name,
        ip,
        MAX(user_id) AS user_id,
        COUNT(*) AS failed,
        MIN(occurred_at) AS first_at,
        MAX(occurred_at) AS last_at,
        MAX(burst) AS burst
    FROM failures
    GROUP BY day, user_name, ip
),
successes AS (
    SELECT day, user_name, ip, COUNT(*) AS succeeded, MAX(occurred_at) AS last_at
    FROM tries
    WHERE success
    GROUP BY day, user_name, ip
)
SELECT
    f.day,
    f.user_name,
    f.ip,
    f.user_id,
    f.failed,
    COALESCE(s.succeeded, 0) AS succeeded,
    f.first_at,
    f.last_at,
    f.burst AS most_in_10_minutes,
    f.burst >= 5 AS is_burst,
    COALESCE(s.last_at > f.last_at, FALSE) AS succeeded_after
FROM sums AS f
LEFT JOIN successes AS s ON s.day = f.day AND s.user_name = f.user_name AND s.ip = f.ip
