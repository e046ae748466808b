/* ---
title: Refunds that leat made are there
description: >-
  leat confirmed a refund, and now the provider doesn't list it, or says that it failed or was cancelled: the money went
  back to the balance, and the payer didn't get it. Only confirmations of the last days are watched, and only once the
  provider has been read again since.
next_step: >-
  Look at the charge and its balance transactions at the provider. If the payer has no money, ask for other details of
  payment, or plan the refund again.
severity: warn
owner: finance
key: [action_id]
needs: [platform, payments]
tolerance: {watched: P90D}
sides: {payments: [refund_status, failure_reason], platform: [confirmed_at, automation]}
--- */
WITH readings AS (
    SELECT MAX(started_at) AS at
    FROM platform.runs
    WHERE _deleted_at IS NULL AND integration = 'payments' AND status IN ('loaded', 'nothing_new')
)
SELECT
    a.id AS action_id,
    a.title,
    a.target,
    CAST(a.receipt AS JSON) ->> '$.refund' AS refund_id,
    COALESCE(f.status, 'absent') AS refund_status,
    f.failure_reason,
    f.amount,
    f.currency,
    a.updated_at AS confirmed_at,
    a.automation
FROM platform.actions AS a
CROSS JOIN readings AS r
LEFT JOIN payments.refunds AS f ON f.id = CAST(a.receipt AS JSON) ->> '$.refund' AND f._deleted_at IS NULL
WHERE a._deleted_at IS NULL
    AND a.integration = 'payments'
    AND a.verb = 'refund'
    AND a.state = 'confirmed'
    AND CAST(a.receipt AS JSON) ->> '$.refund' IS NOT NULL
    AND a.updated_at > $now - $watched
    AND a.updated_at < r.at
    AND (f.id IS NULL OR f.status IN ('failed', 'canceled'))
