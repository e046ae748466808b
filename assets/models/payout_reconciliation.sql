/* ---
description: >-
  One row for each payout, with the transactions on the provider's balance that it consists of. They and the residual
  add up to the transferred amount.
grain: [payout_id]
owners: [finance]
columns:
  payout_id: The payout; payments.payouts.id.
  currency: ISO 4217.
  status: pending, in_transit, paid, failed or canceled.
  automatic: Whether the provider made it by its schedule; it reports no transactions of other payouts.
  sent_on: Day on which it was made (UTC).
  arrives_on: Day on which the bank has it, or is expected to (UTC).
  charges_amount: Charges, gross, in minor units.
  refunds_amount: Refunds, negative, in minor units.
  disputes_amount: Disputes, taken (negative) and returned, in minor units.
  other_amount: Other bookings, in minor units.
  fees_amount: Fees that were taken from them or for themselves, negative, in minor units.
  bookings: How many bookings it consists of.
  itemized_amount: All of these together, in minor units.
  payout_amount: What was transferred, in minor units.
  residual: What was transferred less what the bookings add up to, in minor units; zero when it reconciles.
  label: >-
    reconciled, residual, manual (made by hand, so there is nothing to compare), open (the provider hasn't reported
    everything yet) or failed.
checks:
  - unique: [payout_id]
  - not_null: [payout_id, payout_amount, itemized_amount, residual, label]
  - accepted_values: {label: [reconciled, residual, manual, open, failed]}
--- */
WITH items AS (
    SELECT
        i.payout_id,
        COUNT(*) AS bookings,
        SUM(CASE WHEN i.type IN ('charge', 'payment') THEN i.amount ELSE 0 END) AS charges,
        SUM(CASE WHEN i.type LIKE '%refund%' THEN i.amount ELSE 0 END) AS refunds,
        SUM(CASE WHEN b.reporting_category LIKE 'dispute%' THEN i.amount ELSE 0 END) AS disputes,
        SUM(CASE WHEN i.label = 'fee' THEN i.amount ELSE 0 END) - SUM(COALESCE(i.fee, 0)) AS fees,
        SUM(i.amount - COALESCE(i.fee, 0)) AS net
    FROM payments.payout_items AS i
    LEFT JOIN payments.balance_transactions AS b ON b.id = i.item AND b._deleted_at IS NULL
    WHERE i._deleted_at IS NULL AND i.label IN ('transaction', 'fee')
    GROUP BY i.payout_id
),
added AS (
    SELECT
        p.id,
        p.currency,
        p.status,
        COALESCE(p.automatic, FALSE) AS automatic,
        p.reconciliation_status,
        CAST(p.created_at AT TIME ZONE 'UTC' AS DATE) AS sent_on,
        CAST(p.arrives_at AT TIME ZONE 'UTC' AS DATE) AS arrives_on,
        p.amount,
        COALESCE(i.bookings, 0) AS bookings,
        COALESCE(i.charges, 0) AS charges,
        COALESCE(i.refunds, 0) AS refunds,
        COALESCE(i.disputes, 0) AS disputes,
        COALESCE(i.fees, 0) AS fees,
        COALESCE(i.net, 0) AS net
    FROM payments.payouts AS p
    LEFT JOIN items AS i ON i.payout_id = p.id
    WHERE p._deleted_at IS NULL
)
SELECT
    id AS payout_id,
    currency,
    status,
    automatic,
    sent_on,
    arrives_on,
    CAST(charges AS BIGINT) AS charges_amount,
    CAST(refunds AS BIGINT) AS refunds_amount,
    CAST(disputes AS BIGINT) AS disputes_amount,
    CAST(net - charges - refunds - disputes - fees AS BIGINT) AS other_amount,
    CAST(fees AS BIGINT) AS fees_amount,
    bookings,
    CAST(net AS BIGINT) AS itemized_amount,
    amount AS payout_amount,
    CAST(amount - net AS BIGINT) AS residual,
    CASE
        WHEN status IN ('failed', 'canceled') THEN 'failed'
        WHEN amount = net THEN 'reconciled'
        WHEN NOT automatic THEN 'manual'
        WHEN reconciliation_status = 'in_progress' THEN 'open'
        ELSE 'residual'
    END AS label
FROM added
