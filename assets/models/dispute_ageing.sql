/* ---
description: >-
  Undecided disputes by their age at the last load of payments: one row for each currency, state and age. Inquiries of
  banks (warnings) are disputes that have taken no money yet; closed ones are left out.
owners: [finance]
columns:
  currency: Currency of the disputes, ISO 4217.
  status: For example needs_response, under_review or warning_needs_response.
  age: 0_to_7, 8_to_30, 31_to_60, 61_to_90 or over_90 whole days since the dispute was opened.
  disputes: How many there are.
  disputed: Their sum, in minor units.
  oldest_at: When the oldest of them was opened.
  evidence_overdue: Those that wait for evidence, after the time until which it is accepted.
  evidence_due_in_7_days: Those that wait for evidence, which is accepted for seven days at most.
  next_evidence_due_at: Until when evidence is accepted for the next of them; null when there is none.
checks:
  - unique: [currency, status, age]
  - not_null: [currency, status, age, disputes, disputed]
  - accepted_values: {age: [0_to_7, 8_to_30, 31_to_60, 61_to_90, over_90]}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'payments'
),
undecided AS (
    SELECT
        d.currency,
        COALESCE(d.status, 'unknown') AS status,
        d.amount,
        d.created_at,
        FLOOR((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM d.created_at)) / 86400) AS days,
        CASE WHEN d.status IN ('needs_response', 'warning_needs_response') THEN d.evidence_due_at END AS due_at,
        (EXTRACT(EPOCH FROM d.evidence_due_at) - EXTRACT(EPOCH FROM l.at)) / 86400 AS days_left
    FROM payments.disputes AS d
    CROSS JOIN loaded AS l
    WHERE d._deleted_at IS NULL
        AND COALESCE(d.status, 'unknown') NOT IN ('won', 'lost', 'prevented', 'warning_closed')
),
aged AS (
    SELECT
        *,
        CASE
            WHEN days < 8 OR days IS NULL THEN '0_to_7'
            WHEN days < 31 THEN '8_to_30'
            WHEN days < 61 THEN '31_to_60'
            WHEN days < 91 THEN '61_to_90'
            ELSE 'over_90'
        END AS age
    FROM undecided
)
SELECT
    currency,
    status,
    age,
    COUNT(*) AS disputes,
    CAST(SUM(COALESCE(amount, 0)) AS BIGINT) AS disputed,
    MIN(created_at) AS oldest_at,
    COUNT(*) FILTER (WHERE due_at IS NOT NULL AND days_left < 0) AS evidence_overdue,
    COUNT(*) FILTER (WHERE due_at IS NOT NULL AND days_left BETWEEN 0 AND 7) AS evidence_due_in_7_days,
    MIN(CASE WHEN days_left >= 0 THEN due_at END) AS next_evidence_due_at
FROM aged
GROUP BY currency, status, age
