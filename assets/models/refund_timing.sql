/* ---
description: >-
  How long after its charge money was refunded: one row for each currency, and range of days between the charge and
  the refund. Failed and cancelled refunds, and releases of amounts that were never captured, are left out.
owners: [finance]
columns:
  currency: Currency of the refunds, ISO 4217.
  span: same_day (less than 24 hours), 1_to_7, 8_to_30, 31_to_90 or over_90 days; unknown if the charge is missing.
  refunds: Refunds of that age.
  refunded: Their sum, in minor units.
  share: Their share of all refunds in the currency, by number, 0 to 1.
checks:
  - unique: [currency, span]
  - not_null: [currency, span, refunds, refunded]
  - accepted_values: {span: [same_day, 1_to_7, 8_to_30, 31_to_90, over_90, unknown]}
--- */
WITH releases AS (
    -- What was authorised and not captured is released; versions of Stripe's API before 2025-03-31 call it a refund.
    SELECT
        r.id,
        r.charge_id,
        CASE
            WHEN c.amount_captured = 0 THEN 1
            ELSE ROW_NUMBER() OVER (PARTITION BY r.charge_id ORDER BY r.created_at, r.id)
        END AS place
    FROM payments.refunds AS r
    INNER JOIN payments.charges AS c ON c.id = r.charge_id AND c._deleted_at IS NULL AND c.amount_released > 0
    WHERE r._deleted_at IS NULL
        AND COALESCE(r.status, 'succeeded') NOT IN ('failed', 'canceled')
        AND (c.amount_captured = 0 OR r.amount = c.amount_released)
),
refunds AS (
    SELECT
        r.currency,
        r.amount,
        FLOOR((EXTRACT(EPOCH FROM r.created_at) - EXTRACT(EPOCH FROM c.created_at)) / 86400) AS days
    FROM payments.refunds AS r
    LEFT JOIN payments.charges AS c ON c.id = r.charge_id AND c._deleted_at IS NULL
    WHERE r._deleted_at IS NULL AND COALESCE(r.status, 'succeeded') NOT IN ('failed', 'canceled')
        AND r.id NOT IN (SELECT id FROM releases WHERE place = 1)
),
spans AS (
    SELECT
        currency,
        amount,
        CASE
            WHEN days IS NULL THEN 'unknown'
            WHEN days < 1 THEN 'same_day'
            WHEN days < 8 THEN '1_to_7'
            WHEN days < 31 THEN '8_to_30'
            WHEN days < 91 THEN '31_to_90'
            ELSE 'over_90'
        END AS span
    FROM refunds
)
SELECT
    currency,
    span,
    COUNT(*) AS refunds,
    CAST(SUM(COALESCE(amount, 0)) AS BIGINT) AS refunded,
    CAST(COUNT(*) AS DOUBLE) / CAST(SUM(COUNT(*)) OVER (PARTITION BY currency) AS DOUBLE) AS share
FROM spans
GROUP BY currency, span
