/* ---
description: >-
  How reliable actions are: what became of those that were approved, by the day of their first approval, what they do,
  and the automation that planned them. An action succeeds if leat confirms its effect by the time it expires
  (expires_at of platform.actions). Each approved action counts in exactly one of the other columns. Pending and
  withdrawn ones count neither as success nor as failure; all others are failures, also those that may still turn out
  well. Whether the time is over is judged at the last load of the control store.
owners: [operations]
columns:
  day: Day of the first approval (UTC).
  integration: The integration whose system is changed.
  verb: What is done there.
  automation: The automation that planned the action; empty for a person.
  approved: Actions that were approved on that day.
  succeeded: Confirmed in time, even if another action undid the effect later.
  failed: Refused by the system, or given up after the last attempt.
  diverged: The system showed something other than what was planned.
  unknown: Nobody knows yet whether it was sent; leat searches for it.
  asking: Nobody knows whether it was sent, and only a person can find out.
  expired: Not sent in time.
  late: Sent, but confirmed after its time or not at all.
  pending: Not over, and still in time.
  withdrawn: Cancelled or rejected after the approval, or no longer needed, before anything was sent.
  success_rate: succeeded divided by approved without pending and withdrawn; null when nothing is left.
  p50_seconds: Seconds from approval to confirmation that half of the successful actions took at most.
  p95_seconds: Seconds that 95 of 100 successful actions took at most.
checks:
  - unique: [day, integration, verb, automation]
  - not_null: [day, integration, verb, automation, approved]
  - range: {success_rate: {min: 0, max: 1}, approved: {min: 1}, p50_seconds: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'platform'
),
moments AS (
    SELECT
        action_id,
        MIN(changed_at) FILTER (WHERE state = 'approved') AS approved_at,
        MIN(changed_at) FILTER (WHERE state = 'confirmed') AS confirmed_at
    FROM platform.action_events
    WHERE _deleted_at IS NULL
    GROUP BY action_id
),
fates AS (
    SELECT
        CAST(m.approved_at AT TIME ZONE 'UTC' AS DATE) AS day,
        a.integration,
        a.verb,
        COALESCE(a.automation, '') AS automation,
        EXTRACT(EPOCH FROM m.confirmed_at) - EXTRACT(EPOCH FROM m.approved_at) AS seconds,
        CASE
            WHEN m.confirmed_at <= a.expires_at THEN 'succeeded'
            WHEN m.confirmed_at IS NOT NULL THEN 'late'
            WHEN a.state IN ('failed', 'diverged', 'unknown', 'asking') THEN a.state
            WHEN a.state = 'expired' AND a.ended_at >= a.expires_at THEN 'expired'
            WHEN a.state IN ('cancelled', 'rejected', 'expired') THEN 'withdrawn'
            WHEN a.state = 'undone' OR a.expires_at <= l.at THEN 'late'
            ELSE 'pending'
        END AS fate
    FROM platform.actions AS a
    JOIN moments AS m ON m.action_id = a.id
    CROSS JOIN loaded AS l
    WHERE a._deleted_at IS NULL AND m.approved_at IS NOT NULL
)
SELECT
    day,
    integration,
    verb,
    automation,
    COUNT(*) AS approved,
    COUNT(*) FILTER (WHERE fate = 'succeeded') AS succeeded,
    COUNT(*) FILTER (WHERE fate = 'failed') AS failed,
    COUNT(*) FILTER (WHERE fate = 'diverged') AS diverged,
    COUNT(*) FILTER (WHERE fate = 'unknown') AS unknown,
    COUNT(*) FILTER (WHERE fate = 'asking') AS asking,
    COUNT(*) FILTER (WHERE fate = 'expired') AS expired,
    COUNT(*) FILTER (WHERE fate = 'late') AS late,
    COUNT(*) FILTER (WHERE fate = 'pending') AS pending,
    COUNT(*) FILTER (WHERE fate = 'withdrawn') AS withdrawn,
    CAST(COUNT(*) FILTER (WHERE fate = 'succeeded') AS DOUBLE)
        / CAST(NULLIF(COUNT(*) FILTER (WHERE fate NOT IN ('pending', 'withdrawn')), 0) AS DOUBLE) AS success_rate,
    CAST(
        PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY CASE WHEN fate = 'succeeded' THEN seconds END) AS DOUBLE
    ) AS p50_seconds,
    CAST(
        PERCENTILE_DISC(0.95) WITHIN GROUP (ORDER BY CASE WHEN fate = 'succeeded' THEN seconds END) AS DOUBLE
    ) AS p95_seconds
FROM fates
GROUP BY day, integration, verb, automation
