/* ---
description: >-
  How many attempts to charge a customer succeeded, and how many payments succeeded in the end, after further
  attempts: one row for each day (UTC) and currency. A payment counts on the day of its first attempt; one without an
  attempt is left out. A pending payment is neither a success nor a failure.
grain: [currency]
owners: [finance]
columns:
  day: Day, UTC.
  currency: Currency that was charged, ISO 4217.
  attempts: Charges that were made on the day.
  succeeded: Those that succeeded; authorised ones too.
  failed: Those that failed.
  pending: Those that aren't decided yet.
  success_rate: Share of the decided attempts that succeeded, 0 to 1; null when none is decided.
  amount_succeeded: Sum of the attempts that succeeded, in minor units.
  amount_failed: Sum of the attempts that failed.
  payments: Payments that were first tried on the day; a charge without a payment intent is a payment of its own.
  payments_succeeded: Payments with a successful attempt, on whatever day.
  payments_retried: Those with more than one attempt.
  payments_recovered: Payments whose first attempt failed and a later one succeeded.
  payment_success_rate: Share of the decided payments that succeeded in the end, 0 to 1; null when none is decided.
checks:
  - unique: [day, currency]
  - not_null: [day, currency, attempts, payments]
  - range: {success_rate: {min: 0, max: 1}, payment_success_rate: {min: 0, max: 1}}
--- */
WITH charges AS (
    SELECT
        COALESCE(payment_intent_id, id) AS payment,
        currency,
        CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS day,
        amount,
        status,
        ROW_NUMBER() OVER (
            PARTITION BY COALESCE(payment_intent_id, id), currency ORDER BY created_at, id
        ) AS attempt
    FROM payments.charges
    WHERE _deleted_at IS NULL
),
attempts AS (
    SELECT
        day,
        currency,
        COUNT(*) AS attempts,
        COUNT(*) FILTER (WHERE status = 'succeeded') AS succeeded,
        COUNT(*) FILTER (WHERE status = 'failed') AS failed,
        COUNT(*) FILTER (WHERE status = 'pending') AS pending,
        SUM(CASE WHEN status = 'succeeded' THEN amount ELSE 0 END) AS amount_succeeded,
        SUM(CASE WHEN status = 'failed' THEN amount ELSE 0 END) AS amount_failed
    FROM charges
    GROUP BY day, currency
),
ends AS (
    SELECT
        payment,
        currency,
        MIN(CASE WHEN attempt = 1 THEN day END) AS day,
        COUNT(*) AS attempts,
        MAX(CASE WHEN status = 'succeeded' THEN 1 ELSE 0 END) AS succeeded,
        MAX(CASE WHEN status = 'pending' THEN 1 ELSE 0 END) AS pending,
        MAX(CASE WHEN attempt = 1 AND status = 'failed' THEN 1 ELSE 0 END) AS failed_first
    FROM charges
    GROUP BY payment, currency
),
payments AS (
    SELECT
        day,
        currency,
        COUNT(*) AS payments,
        SUM(succeeded) AS succeeded,
        COUNT(*) FILTER (WHERE succeeded = 1 OR pending = 0) AS decided,
        COUNT(*) FILTER (WHERE attempts > 1) AS retried,
        SUM(failed_first * succeeded) AS recovered
    FROM ends
    GROUP BY day, currency
)
SELECT
    a.day,
    a.currency,
    a.attempts,
    a.succeeded,
    a.failed,
    a.pending,
    CAST(a.succeeded AS DOUBLE) / NULLIF(a.succeeded + a.failed, 0) AS success_rate,
    CAST(a.amount_succeeded AS BIGINT) AS amount_succeeded,
    CAST(a.amount_failed AS BIGINT) AS amount_failed,
    COALESCE(p.payments, 0) AS payments,
    CAST(COALESCE(p.succeeded, 0) AS BIGINT) AS payments_succeeded,
    COALESCE(p.retried, 0) AS payments_retried,
    CAST(COALESCE(p.recovered, 0) AS BIGINT) AS payments_recovered,
    CAST(p.succeeded AS DOUBLE) / NULLIF(p.decided, 0) AS payment_success_rate
FROM attempts AS a
LEFT JOIN payments AS p ON p.day = a.day AND p.currency = a.currency
