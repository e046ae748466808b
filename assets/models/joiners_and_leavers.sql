/* ---
description: >-
  How many accounts were created, and how many ended, in each month. An account ends when it is deactivated or
  deleted. If the provider doesn't report the time, it is the last change of a deactivated account, or the load that
  noticed the deletion. Months without either are left out.
owners: [people]
columns:
  month: First day of the month, UTC.
  joined: Accounts that were made in it.
  left: Accounts that ended in it.
  left_estimated: Those of them for which the provider doesn't say when.
  accounts_at_end: >-
    Accounts that existed and hadn't ended at the end of the month; one without a creation time counts from the first
    month.
checks:
  - unique: [month]
  - not_null: [month]
  - range: {joined: {min: 0}, left: {min: 0}, left_estimated: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'sso'
),
accounts AS (
    -- Deleted ones too: that is how some providers let somebody leave.
    SELECT
        u.id,
        u.created_at,
        CASE
            WHEN d.deactivated_at <= l.at THEN d.deactivated_at
            WHEN NOT COALESCE(u.active, TRUE) THEN COALESCE(u.updated_at, u._synced_at)
            ELSE u._deleted_at
        END AS ended_at,
        d.deactivated_at IS NULL OR d.deactivated_at > l.at AS is_estimate
    FROM sso.users AS u
    CROSS JOIN loaded AS l
    LEFT JOIN sso.deactivations AS d ON d.user_id = u.id AND (d._deleted_at IS NULL OR u._deleted_at IS NOT NULL)
),
changes AS (
    SELECT
        CAST(DATE_TRUNC('month', created_at AT TIME ZONE 'UTC') AS DATE) AS month,
        1 AS joined,
        0 AS "left",
        0 AS estimated
    FROM accounts
    WHERE created_at IS NOT NULL
    UNION ALL
    SELECT
        CAST(DATE_TRUNC('month', ended_at AT TIME ZONE 'UTC') AS DATE) AS month,
        0 AS joined,
        1 AS "left",
        CASE WHEN is_estimate THEN 1 ELSE 0 END AS estimated
    FROM accounts
    WHERE ended_at IS NOT NULL
),
months AS (
    SELECT
        month,
        CAST(SUM(joined) AS BIGINT) AS joined,
        CAST(SUM("left") AS BIGINT) AS "left",
        CAST(SUM(estimated) AS BIGINT) AS left_estimated
    FROM changes
    GROUP BY month
),
always AS (
    SELECT COUNT(*) AS accounts FROM accounts WHERE created_at IS NULL
)
SELECT
    m.month,
    m.joined,
    m."left",
    m.left_estimated,
    CAST(a.accounts + SUM(m.joined - m."left") OVER (ORDER BY m.month) AS BIGINT) AS accounts_at_end
FROM months AS m
CROSS JOIN always AS a
