/* ---
description: >-
  Payments compared with the books and the bank, by day and currency, in four steps that each add up to zero: gateway
  (charges and refunds, and their transactions on the provider's balance), balance (these transactions and payouts),
  bank (payouts sent, and those that arrived) and ledger (charges and refunds, and the payments in the books). A
  difference is a residual with a label; unexplained is what no label accounts for.
owners: [finance]
history: true
columns:
  step: gateway, balance, bank or ledger.
  day: Day of the movement (UTC), of the books the day that it counts for.
  currency: ISO 4217.
  side: payments, balance, ledger or bank, as the systems report; residual for the difference between the two sides.
  label: >-
    Of a side: charges, refunds, disputes, fees, other, payouts, booked, credited, arrived. Of a residual: timing (on
    another day on the other side; adds up to zero over all days), not_invoiced, not_booked, amount_differs,
    currency_exponent, other_currency, booked_without_charge, paid_otherwise (the journal of a transfer or of cash),
    refund_not_credited, refund_not_booked, credited_without_refund, given_back (taken too much and given back, or
    never booked), not_on_balance, converted, not_paid_out (still on the balance), payout_residual, manual_payout,
    payout_failed, payout_in_transit, unexplained.
  amount: In minor units; what the second side has counts as negative, so that a day, currency and step add up to zero.
  entries: How many movements it sums up.
  day_total: Sum of all rows of the step, day and currency; zero.
checks:
  - unique: [step, day, currency, side, label]
  - not_null: [step, day, currency, side, label, amount]
  - accepted_values: {side: [payments, balance, ledger, bank, residual]}
  - range: {day_total: {min: 0, max: 0}}
--- */
WITH bookings AS (
    SELECT
        b.id,
        COALESCE(r.charge_id, b.source_id) AS source_id,
        payout_id,
        currency,
        type,
        CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS day,
        amount,
        COALESCE(fee, 0) AS fee,
        amount - COALESCE(fee, 0) AS net,
        CASE
            WHEN r.refund_id IS NOT NULL OR type IN ('charge', 'payment') THEN 'charges'
            WHEN type LIKE '%refund%' THEN 'refunds'
            WHEN reporting_category LIKE 'dispute%' THEN 'disputes'
            WHEN type LIKE 'payout%' THEN 'payouts'
            WHEN type LIKE '%fee%' THEN 'fees'
            ELSE 'other'
        END AS label
    FROM payments.balance_transactions AS b
    LEFT JOIN released_refunds AS r ON r.refund_id = b.source_id
    WHERE b._deleted_at IS NULL
),
payouts AS (
    SELECT
        id,
        currency,
        amount,
        COALESCE(automatic, FALSE) AS automatic,
        status,
        CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS day,
        CAST(arrives_at AT TIME ZONE 'UTC' AS DATE) AS arrives_on
    FROM payments.payouts
    WHERE _deleted_at IS NULL
),
charged AS (
    SELECT id, 'charges' AS label, CAST(created_at AT TIME ZONE 'UTC' AS DATE) AS day, currency,
        COALESCE(amount_captured, amount) AS amount
    FROM payments.charges
    WHERE _deleted_at IS NULL AND status = 'succeeded' AND COALESCE(captured, TRUE)
    UNION ALL
    SELECT id, 'refunds', CAST(created_at AT TIME ZONE 'UTC' AS DATE), currency, -amount
    FROM payments.refunds
    WHERE _deleted_at IS NULL AND COALESCE(status, 'succeeded') NOT IN ('failed', 'canceled')
        AND id NOT IN (SELECT refund_id FROM released_refunds)
),
sides AS (
    SELECT 'gateway' AS step, 'payments' AS side, label, day, currency, amount FROM charged
    UNION ALL
    SELECT 'gateway', 'balance', label, day, currency, -amount FROM bookings WHERE label IN ('charges', 'refunds')
    UNION ALL
    SELECT 'balance', 'balance', label, day, currency, amount FROM bookings WHERE label <> 'payouts'
    UNION ALL
    SELECT 'balance', 'balance', 'fees', day, currency, -fee FROM bookings
    UNION ALL
    SELECT 'balance', 'bank', label, day, currency, amount FROM bookings WHERE label = 'payouts'
    UNION ALL
    SELECT 'bank', 'balance', label, day, currency, -amount FROM bookings WHERE type = 'payout'
    UNION ALL
    SELECT 'bank', 'bank', 'arrived', arrives_on, currency, -amount FROM payouts WHERE status = 'paid'
    UNION ALL
    SELECT 'ledger', 'payments', label, day, currency, amount FROM charged
    UNION ALL
    SELECT 'ledger', 'ledger', 'booked', paid_on, currency, -amount
    FROM crm_accounting.payments
    WHERE _deleted_at IS NULL AND document = 'invoices'
    UNION ALL
    SELECT 'ledger', 'ledger', 'credited', p.paid_on, p.currency, p.amount
    FROM crm_accounting.payments AS p
    INNER JOIN crm_accounting.credit_notes AS c ON c.credit_note_id = p.document_id AND c.kind = 'customer'
    WHERE p._deleted_at IS NULL AND p.document = 'credit_notes'
),
linked AS (
    SELECT
        l.order_key,
        l.by_gateway,
        d.document_id,
        d.currency,
        d.happened_on AS day,
        CASE
            WHEN d.document = 'charge' THEN 'charges'
            WHEN d.document = 'refund' THEN 'refunds'
            WHEN d.parent_document = 'invoice' THEN 'booked'
            ELSE 'credited'
        END AS label,
        CASE
            WHEN d.document = 'charge' OR d.document = 'booking' AND d.parent_document <> 'invoice' THEN d.amount
            ELSE -d.amount
        END AS amount
    FROM money_links AS l
    INNER JOIN money_documents AS d ON d.document = l.document AND d.document_id = l.document_id
    WHERE d.counts AND d.document IN ('charge', 'refund', 'booking')
),
movements AS (
    -- What has to even out, by what ties it together: an order, a payout, a charge or refund.
    SELECT
        'ledger' AS step,
        CASE WHEN label IN ('charges', 'booked') THEN 'in' ELSE 'out' END AS flow,
        order_key AS tie,
        currency,
        day,
        amount
    FROM linked
    WHERE COALESCE(by_gateway, TRUE)
    UNION ALL
    SELECT 'ledger', 'otherwise', document_id, currency, day, amount FROM linked WHERE NOT COALESCE(by_gateway, TRUE)
    UNION ALL
    SELECT 'gateway', label, id, currency, day, amount FROM charged
    UNION ALL
    SELECT 'gateway', label, source_id, currency, day, -amount FROM bookings WHERE label IN ('charges', 'refunds')
    UNION ALL
    SELECT
        'balance',
        CASE WHEN p.id IS NULL THEN 'kept' ELSE 'payout' END,
        COALESCE(p.id, b.id),
        b.currency,
        b.day,
        b.net
    FROM bookings AS b
    LEFT JOIN payouts AS p ON p.id = b.payout_id
    WHERE b.label <> 'payouts'
    UNION ALL
    SELECT 'balance', 'payout', source_id, currency, day, net FROM bookings WHERE label = 'payouts'
    UNION ALL
    SELECT 'bank', 'payout', source_id, currency, day, -amount FROM bookings WHERE type = 'payout'
    UNION ALL
    SELECT 'bank', 'payout', id, currency, arrives_on, -amount FROM payouts WHERE status = 'paid'
),
days AS (
    SELECT step, flow, tie, currency, day, SUM(amount) AS amount
    FROM movements
    GROUP BY step, flow, tie, currency, day
),
totals AS (
    SELECT
        step,
        flow,
        tie,
        currency,
        SUM(amount) AS amount,
        COUNT(*) OVER (PARTITION BY step, flow, tie) AS currencies,
        CASE WHEN step = 'balance' THEN MAX(day) ELSE MIN(day) END AS day
    FROM days
    GROUP BY step, flow, tie, currency
),
given_back AS (
    SELECT tie, currency
    FROM totals
    WHERE step = 'ledger' AND flow IN ('in', 'out')
    GROUP BY tie, currency
    HAVING COUNT(*) = 2 AND SUM(amount) = 0
),
booked_sources AS (
    SELECT DISTINCT source_id FROM bookings WHERE label IN ('charges', 'refunds')
),
labelled AS (
    SELECT
        t.step,
        t.flow,
        t.tie,
        t.currency,
        t.day,
        t.amount,
        CASE
            WHEN t.amount = 0 THEN 'timing'
            WHEN t.step = 'ledger' AND t.flow = 'otherwise' THEN 'paid_otherwise'
            WHEN t.step = 'ledger' AND g.tie IS NOT NULL THEN 'given_back'
            WHEN t.step = 'ledger' AND o.other_currencies > 0 THEN 'other_currency'
            WHEN t.step = 'ledger' AND t.flow = 'out' AND t.amount > 0 THEN 'credited_without_refund'
            WHEN t.step = 'ledger' AND t.flow = 'out' AND o.credited_amount < o.refunded_amount
                THEN 'refund_not_credited'
            WHEN t.step = 'ledger' AND t.flow = 'out' THEN 'refund_not_booked'
            WHEN t.step = 'ledger' AND o.agreement = 'no_invoice' THEN 'not_invoiced'
            WHEN t.step = 'ledger' AND o.charges = 0 THEN 'booked_without_charge'
            WHEN t.step = 'ledger' AND t.amount > 0 AND o.booked_amount = 0 THEN 'not_booked'
            WHEN t.step = 'ledger' AND o.agreement = 'exponent' THEN 'currency_exponent'
            WHEN t.step = 'ledger' AND o.agreement = 'differs' THEN 'amount_differs'
            WHEN t.step = 'ledger' AND t.amount > 0 AND t.amount <= o.invoiced_amount - o.settled_amount
                THEN 'not_booked'
            WHEN t.step = 'gateway' AND b.source_id IS NULL THEN 'not_on_balance'
            WHEN t.step = 'gateway' AND t.currencies > 1 THEN 'converted'
            WHEN t.step = 'balance' AND t.flow = 'kept' THEN 'not_paid_out'
            WHEN t.step IN ('balance', 'bank') AND p.status IN ('failed', 'canceled') THEN 'payout_failed'
            WHEN t.step = 'balance' AND NOT p.automatic THEN 'manual_payout'
            WHEN t.step = 'balance' AND p.id IS NOT NULL THEN 'payout_residual'
            WHEN t.step = 'bank' AND p.status IN ('pending', 'in_transit') THEN 'payout_in_transit'
            ELSE 'unexplained'
        END AS label
    FROM totals AS t
    LEFT JOIN orders AS o ON t.step = 'ledger' AND o.order_key = t.tie
    LEFT JOIN given_back AS g ON g.tie = t.tie AND g.currency = t.currency AND t.flow IN ('in', 'out')
    LEFT JOIN booked_sources AS b ON b.source_id = t.tie
    LEFT JOIN payouts AS p ON p.id = t.tie
),
told AS (
    SELECT step, day, currency, side, label, amount FROM sides WHERE day IS NOT NULL
    UNION ALL
    SELECT step, day, currency, 'residual', label, -amount FROM labelled WHERE amount <> 0
    UNION ALL
    SELECT
        d.step,
        d.day,
        d.currency,
        'residual',
        'timing',
        CASE WHEN d.day = l.day THEN l.amount ELSE 0 END - d.amount
    FROM days AS d
    INNER JOIN labelled AS l
        ON l.step = d.step AND l.flow = d.flow AND l.tie = d.tie AND l.currency = d.currency
),
closed AS (
    SELECT step, day, currency, side, label, SUM(amount) AS amount, COUNT(*) AS entries
    FROM told
    WHERE amount <> 0
    GROUP BY step, day, currency, side, label
    UNION ALL
    -- What documents and links don't account for; the sides above are read from the systems' own tables.
    SELECT step, day, currency, 'residual', 'unexplained', -SUM(amount), 0
    FROM told
    GROUP BY step, day, currency
    HAVING SUM(amount) <> 0
),
summed AS (
    SELECT step, day, currency, side, label, SUM(amount) AS amount, SUM(entries) AS entries
    FROM closed
    GROUP BY step, day, currency, side, label
    HAVING SUM(amount) <> 0
)
SELECT
    step,
    day,
    currency,
    side,
    label,
    CAST(amount AS BIGINT) AS amount,
    CAST(entries AS BIGINT) AS entries,
    CAST(SUM(amount) OVER (PARTITION BY step, day, currency) AS BIGINT) AS day_total
FROM summed
