/* ---
title: A payout is the sum of its transactions
description: >-
  The amount transferred to the bank differs from the sum of the transactions that the provider names for the payout.
  This excludes payouts that were made by hand, have failed or aren't split yet.
next_step: Compare the payout with the provider's report of it, and open a case with the provider.
severity: warn
owner: finance
key: [payout_id]
needs: [payments]
tolerance: {settle: P1D, amount: 0}
--- */
SELECT
    payout_id,
    currency,
    payout_amount,
    itemized_amount,
    residual,
    bookings,
    status,
    sent_on,
    arrives_on
FROM analytics.payout_reconciliation
WHERE label = 'residual' AND ABS(residual) > $amount AND sent_on < CAST(($now - $settle) AT TIME ZONE 'UTC' AS DATE)
