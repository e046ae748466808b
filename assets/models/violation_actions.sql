/* ---
description: >-
  How long it takes until an automation has dealt with a violation: from the beginning of the violation's episode to the
  moment when leat confirmed the action, by automation and verb. Only actions that automations planned for violations
  count. A violation that a person resolves first has no confirmed action. Median and 95th percentile are over confirmed
  actions alone.
owners: [operations]
columns:
  automation: Name of the automation.
  integration: The integration whose system is changed.
  verb: What is done there.
  actions: Actions that were planned for violations.
  confirmed: Of these, those whose effect leat confirmed.
  p50_hours: Hours from opening to confirmation for half of them, at most.
  p95_hours: The same for 95 of 100.
  max_hours: The same for the slowest.
  p50_hours_to_plan: Hours from the opening to the plan for half of them, at most.
  p50_hours_to_approve: Hours from the plan to the first approval for half of them, at most.
  p50_hours_to_confirm: Hours from the first approval to the confirmation for half of them, at most.
  last_confirmed_at: When the last one was confirmed; null when none was.
checks:
  - unique: [automation, integration, verb]
  - not_null: [automation, integration, verb, actions, confirmed]
  - range: {confirmed: {min: 0}, p50_hours: {min: 0}}
--- */
WITH moments AS (
    SELECT
        action_id,
        MIN(changed_at) FILTER (WHERE state = 'approved') AS approved_at,
        MIN(changed_at) FILTER (WHERE state = 'confirmed') AS confirmed_at
    FROM platform.action_events
    WHERE _deleted_at IS NULL
    GROUP BY action_id
),
spans AS (
    SELECT
        a.automation,
        a.integration,
        a.verb,
        m.confirmed_at,
        (EXTRACT(EPOCH FROM m.confirmed_at) - EXTRACT(EPOCH FROM a.subject_opened_at)) / 3600 AS hours,
        CASE
            WHEN m.confirmed_at IS NOT NULL
                THEN (EXTRACT(EPOCH FROM a.created_at) - EXTRACT(EPOCH FROM a.subject_opened_at)) / 3600
        END AS to_plan,
        CASE
            WHEN m.confirmed_at IS NOT NULL
                THEN (EXTRACT(EPOCH FROM m.approved_at) - EXTRACT(EPOCH FROM a.created_at)) / 3600
        END AS to_approve,
        (EXTRACT(EPOCH FROM m.confirmed_at) - EXTRACT(EPOCH FROM m.approved_at)) / 3600 AS to_confirm
    FROM platform.actions AS a
    LEFT JOIN moments AS m ON m.action_id = a.id
    WHERE a._deleted_at IS NULL AND a.automation IS NOT NULL AND a.subject_opened_at IS NOT NULL
)
SELECT
    automation,
    integration,
    verb,
    COUNT(*) AS actions,
    COUNT(confirmed_at) AS confirmed,
    CAST(PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY hours) AS DOUBLE) AS p50_hours,
    CAST(PERCENTILE_DISC(0.95) WITHIN GROUP (ORDER BY hours) AS DOUBLE) AS p95_hours,
    CAST(MAX(hours) AS DOUBLE) AS max_hours,
    CAST(PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY to_plan) AS DOUBLE) AS p50_hours_to_plan,
    CAST(PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY to_approve) AS DOUBLE) AS p50_hours_to_approve,
    CAST(PERCENTILE_DISC(0.5) WITHIN GROUP (ORDER BY to_confirm) AS DOUBLE) AS p50_hours_to_confirm,
    MAX(confirmed_at) AS last_confirmed_at
FROM spans
GROUP BY automation, integration, verb
