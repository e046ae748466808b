/* ---
title: Ledger, payments and bank agree to the cent per day and currency
description: >-
  A day of reconciliation_daily has an amount that nothing accounts for, or one that should have cleared by now: a
  charge that isn't on the provider's balance, a credit note that was paid without a refund, a refund whose credit
  note isn't booked as paid, a payout that is still on its way. Problems that other rules report, such as a charge
  that isn't booked, have their own label and are excluded.
next_step: Read analytics.reconciliation_daily of that day, then analytics.orders of the orders of that day.
severity: warn
owner: finance
key: [step, day, currency, label]
needs: [payments, crm_accounting]
tolerance: {settle: P2D, open: P10D, amount: 0}
--- */
WITH days AS (
    SELECT
        step,
        day,
        currency,
        SUM(CASE WHEN side = 'payments' OR side = 'balance' AND step <> 'gateway' THEN amount ELSE 0 END) AS one_side,
        SUM(CASE WHEN side IN ('ledger', 'bank') OR side = 'balance' AND step = 'gateway' THEN amount ELSE 0 END)
            AS other_side
    FROM analytics.reconciliation_daily
    GROUP BY step, day, currency
)
SELECT
    r.step,
    r.day,
    r.currency,
    r.label,
    r.amount AS residual,
    CAST(d.one_side AS BIGINT) AS payments_amount,
    CAST(-d.other_side AS BIGINT) AS other_amount
FROM analytics.reconciliation_daily AS r
INNER JOIN days AS d ON d.step = r.step AND d.day = r.day AND d.currency = r.currency
WHERE r.side = 'residual'
    AND ABS(r.amount) > $amount
    AND (
        r.label = 'unexplained' AND r.day < CAST(($now - $settle) AT TIME ZONE 'UTC' AS DATE)
        OR r.label IN ('not_on_balance', 'credited_without_refund', 'refund_not_booked', 'payout_in_transit')
        AND r.day < CAST(($now - $open) AT TIME ZONE 'UTC' AS DATE)
    )
