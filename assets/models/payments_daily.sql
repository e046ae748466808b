/* ---
description: >-
  What each day (UTC) added to the merchant's balance at the payment provider, per currency, from its balance
  transactions: net is gross less refunds, disputes and fees, plus everything of another kind. Moving money to the
  bank and back is left out, except for its fee. A transaction counts on the day it was made, not on the day when the
  money became available.
grain: [day, currency]
owners: [finance]
columns:
  day: Day on which the bookings were made, UTC.
  currency: Currency of the balance, ISO 4217.
  gross: Charges, less those that failed afterwards, in minor units.
  refunds: Given back, less refunds that failed.
  disputes: Taken away by disputes, less what won ones brought back; without the fee of the dispute.
  fees: All fees, those of disputes and payouts included, and taxes on fees.
  other: What is none of these, such as transfers, reserves and adjustments; positive when it adds to the balance.
  net: What the balance gained by the provider's own account; negative when it lost.
  unexplained: net less gross, plus refunds, disputes and fees, less other; zero unless a booking doesn't add up.
  charges: How many charges were booked.
  refunds_made: How many refunds were booked.
  disputes_booked: How many times a dispute took money away.
checks:
  - unique: [day, currency]
  - not_null: [day, currency, gross, refunds, disputes, fees, other, net]
  - range: {unexplained: {min: 0, max: 0}}
    severity: warn
--- */
WITH bookings AS (
    SELECT
        CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS day,
        currency,
        COALESCE(amount, 0) AS amount,
        COALESCE(fee, 0) AS fee,
        COALESCE(net, COALESCE(amount, 0) - COALESCE(fee, 0)) AS net,
        -- The provider's own grouping; older bookings and imitations of its API have the type alone.
        COALESCE(
            reporting_category,
            CASE
                WHEN type IN ('charge', 'payment') THEN 'charge'
                WHEN type IN ('payment_failure_refund', 'payment_reversal') THEN 'charge_failure'
                WHEN type IN ('refund', 'payment_refund') THEN 'refund'
                WHEN type = 'refund_failure' THEN 'refund_failure'
                WHEN type = 'adjustment' AND (source_id LIKE 'dp_%' OR source_id LIKE 'du_%') THEN 'dispute'
                WHEN type IN ('stripe_fee', 'tax_fee') THEN 'fee'
                WHEN type IN ('payout', 'payout_cancel', 'payout_failure') THEN 'payout'
                WHEN type IN ('topup', 'topup_reversal') THEN 'topup'
            END
        ) AS category
    FROM payments.balance_transactions
    WHERE _deleted_at IS NULL
),
kinds AS (
    SELECT
        *,
        CASE
            WHEN category IN ('charge', 'charge_failure', 'partial_capture_reversal') THEN 'gross'
            WHEN category IN ('refund', 'refund_failure') THEN 'refunds'
            WHEN category IN ('dispute', 'dispute_reversal') THEN 'disputes'
            WHEN category IN ('fee', 'network_cost', 'tax') THEN 'fees'
            WHEN category IN ('payout', 'payout_reversal', 'topup', 'topup_reversal') THEN 'bank'
            ELSE 'other'
        END AS kind
    FROM bookings
),
days AS (
    SELECT
        day,
        currency,
        SUM(CASE WHEN kind = 'gross' THEN amount ELSE 0 END) AS gross,
        -SUM(CASE WHEN kind = 'refunds' THEN amount ELSE 0 END) AS refunds,
        -SUM(CASE WHEN kind = 'disputes' THEN amount ELSE 0 END) AS disputes,
        SUM(CASE WHEN kind = 'fees' THEN fee - amount ELSE fee END) AS fees,
        SUM(CASE WHEN kind = 'other' THEN amount ELSE 0 END) AS other,
        SUM(CASE WHEN kind = 'bank' THEN net - amount ELSE net END) AS net,
        SUM(CASE WHEN category = 'charge' THEN 1 ELSE 0 END) AS charges,
        SUM(CASE WHEN category = 'refund' THEN 1 ELSE 0 END) AS refunds_made,
        SUM(CASE WHEN kind = 'disputes' AND amount < 0 THEN 1 ELSE 0 END) AS disputes_booked
    FROM kinds
    WHERE kind <> 'bank' OR fee <> 0
    GROUP BY day, currency
)
SELECT
    day,
    currency,
    CAST(gross AS BIGINT) AS gross,
    CAST(refunds AS BIGINT) AS refunds,
    CAST(disputes AS BIGINT) AS disputes,
    CAST(fees AS BIGINT) AS fees,
    CAST(other AS BIGINT) AS other,
    CAST(net AS BIGINT) AS net,
    CAST(net - gross + refunds + disputes + fees - other AS BIGINT) AS unexplained,
    CAST(charges AS BIGINT) AS charges,
    CAST(refunds_made AS BIGINT) AS refunds_made,
    CAST(disputes_booked AS BIGINT) AS disputes_booked
FROM days
