/* ---
description: >-
  Why attempts to charge failed: one row for each month, currency, kind of payment method and reason.
owners: [finance]
columns:
  month: First day of the month in which it was tried, UTC.
  currency: Currency that was charged, ISO 4217.
  method: Kind of payment method, for example card or sepa_debit; unknown where nothing is said.
  reason: >-
    What the bank or the provider's risk rules answered (outcome.reason), for example insufficient_funds; the failure's
    code where they say nothing; unknown without either.
  blocked: Whether the provider refused it itself, without asking the bank.
  declines: How many attempts failed for it.
  amount: Their sum, in minor units.
  share: Their share of all failed attempts of the month, currency and kind, 0 to 1.
  recovered: Those whose payment succeeded by another attempt.
checks:
  - unique: [month, currency, method, reason, blocked]
  - not_null: [month, currency, method, reason, blocked, declines]
  - range: {share: {min: 0, max: 1}}
--- */
WITH paid AS (
    SELECT DISTINCT payment_intent_id
    FROM payments.charges
    WHERE _deleted_at IS NULL AND status = 'succeeded' AND payment_intent_id IS NOT NULL
),
failed AS (
    SELECT
        CAST(DATE_TRUNC('month', c.created_at AT TIME ZONE 'UTC') AS DATE) AS month,
        c.currency,
        COALESCE(c.payment_method_type, 'unknown') AS method,
        COALESCE(CAST(c.outcome AS JSON) ->> '$.reason', c.failure_code, 'unknown') AS reason,
        COALESCE(CAST(c.outcome AS JSON) ->> '$.type' = 'blocked', FALSE) AS blocked,
        c.amount,
        CASE WHEN p.payment_intent_id IS NULL THEN 0 ELSE 1 END AS recovered
    FROM payments.charges AS c
    LEFT JOIN paid AS p ON p.payment_intent_id = c.payment_intent_id
    WHERE c._deleted_at IS NULL AND c.status = 'failed'
)
SELECT
    month,
    currency,
    method,
    reason,
    blocked,
    COUNT(*) AS declines,
    CAST(SUM(COALESCE(amount, 0)) AS BIGINT) AS amount,
    CAST(COUNT(*) AS DOUBLE)
        / CAST(SUM(COUNT(*)) OVER (PARTITION BY month, currency, method) AS DOUBLE) AS share,
    CAST(SUM(recovered) AS BIGINT) AS recovered
FROM failed
GROUP BY month, currency, method, reason, blocked
