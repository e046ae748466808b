/* ---
description: >-
  How much of the charged money came back, by the month of the charge: refunds and disputes until the last load,
  however late. There is one row for each month and currency with a successful charge. Failed and cancelled refunds,
  releases of amounts that were never captured, and inquiries of banks that took no money (warnings), are left out.
owners: [finance]
columns:
  month: First day of the month of the charge, UTC.
  currency: Currency of the charges, ISO 4217.
  charges: Charges that succeeded and were captured.
  charged: What was captured, in minor units.
  refunded_charges: Charges with at least one refund.
  refunds: Refunds of those charges.
  refunded: What was given back; more than charged when too much was.
  refund_rate: refunded_charges by charges.
  refunded_share: refunded by charged; null when nothing was charged.
  mean_days_to_refund: Days from the charge to its refund, on average over refunds; null without any.
  disputed_charges: Charges that were disputed.
  disputed: What was disputed.
  dispute_rate: disputed_charges by charges; card networks watch it by number, not by amount.
  disputed_share: disputed by charged; null when nothing was charged.
  disputes_open: Disputes that aren't decided.
  disputes_won: Disputes that were won, or that the bank took back.
  disputes_lost: Disputes that were lost.
  lost: What was lost by them.
checks:
  - unique: [month, currency]
  - not_null: [month, currency, charges, charged, refunded, disputed]
  - range: {refund_rate: {min: 0, max: 1}, dispute_rate: {min: 0, max: 1}}
--- */
WITH charges AS (
    SELECT
        id,
        created_at,
        CAST(DATE_TRUNC('month', created_at AT TIME ZONE 'UTC') AS DATE) AS month,
        currency,
        COALESCE(amount_captured, amount, 0) AS amount
    FROM payments.charges
    WHERE _deleted_at IS NULL AND status = 'succeeded' AND COALESCE(captured, TRUE)
),
refunds AS (
    SELECT
        c.id,
        COUNT(*) AS refunds,
        SUM(r.amount) AS amount,
        SUM(EXTRACT(EPOCH FROM r.created_at) - EXTRACT(EPOCH FROM c.created_at)) AS seconds
    FROM payments.refunds AS r
    JOIN charges AS c ON c.id = r.charge_id
    WHERE r._deleted_at IS NULL AND COALESCE(r.status, 'succeeded') NOT IN ('failed', 'canceled')
        AND r.id NOT IN (SELECT refund_id FROM released_refunds)
    GROUP BY c.id
),
disputes AS (
    SELECT
        charge_id,
        SUM(amount) AS amount,
        SUM(CASE WHEN status IN ('won', 'prevented') THEN 1 ELSE 0 END) AS won,
        SUM(CASE WHEN status = 'lost' THEN 1 ELSE 0 END) AS lost,
        SUM(CASE WHEN status IN ('won', 'prevented', 'lost') THEN 0 ELSE 1 END) AS undecided,
        SUM(CASE WHEN status = 'lost' THEN amount ELSE 0 END) AS amount_lost
    FROM payments.disputes
    WHERE _deleted_at IS NULL AND COALESCE(status, '') NOT LIKE 'warning%'
    GROUP BY charge_id
),
months AS (
    SELECT
        c.month,
        c.currency,
        COUNT(*) AS charges,
        SUM(c.amount) AS charged,
        COUNT(r.id) AS refunded_charges,
        COALESCE(SUM(r.refunds), 0) AS refunds,
        COALESCE(SUM(r.amount), 0) AS refunded,
        SUM(r.seconds) AS seconds,
        COUNT(d.charge_id) AS disputed_charges,
        COALESCE(SUM(d.amount), 0) AS disputed,
        COALESCE(SUM(d.undecided), 0) AS disputes_open,
        COALESCE(SUM(d.won), 0) AS disputes_won,
        COALESCE(SUM(d.lost), 0) AS disputes_lost,
        COALESCE(SUM(d.amount_lost), 0) AS lost
    FROM charges AS c
    LEFT JOIN refunds AS r ON r.id = c.id
    LEFT JOIN disputes AS d ON d.charge_id = c.id
    GROUP BY c.month, c.currency
)
SELECT
    month,
    currency,
    charges,
    CAST(charged AS BIGINT) AS charged,
    refunded_charges,
    CAST(refunds AS BIGINT) AS refunds,
    CAST(refunded AS BIGINT) AS refunded,
    CAST(refunded_charges AS DOUBLE) / charges AS refund_rate,
    CAST(refunded AS DOUBLE) / NULLIF(CAST(charged AS DOUBLE), 0) AS refunded_share,
    CAST(seconds AS DOUBLE) / NULLIF(CAST(refunds AS DOUBLE) * 86400, 0) AS mean_days_to_refund,
    disputed_charges,
    CAST(disputed AS BIGINT) AS disputed,
    CAST(disputed_charges AS DOUBLE) / charges AS dispute_rate,
    CAST(disputed AS DOUBLE) / NULLIF(CAST(charged AS DOUBLE), 0) AS disputed_share,
    CAST(disputes_open AS BIGINT) AS disputes_open,
    CAST(disputes_won AS BIGINT) AS disputes_won,
    CAST(disputes_lost AS BIGINT) AS disputes_lost,
    CAST(lost AS BIGINT) AS lost
FROM months
