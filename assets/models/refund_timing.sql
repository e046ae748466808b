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
WITH refunds AS (
    SELECT
        r.currency,
        r.amount,
        FLOOR((EXTRACT(EPOCH FROM r.created_at) - EXTRACT(EPOCH FROM c.created_at)) / 86400) AS days
    FROM payments.refunds AS r
    LEFT JOIN payments.charges AS c ON c.id = r.charge_id AND c._deleted_at IS NULL
    WHERE r._deleted_at IS NULL AND COALESCE(r.status, 'succeeded') NOT IN ('failed', 'canceled')
        AND r.id NOT IN (SELECT refund_id FROM released_refunds)
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
