/* ---
title: Refunds never exceed the charge
description: >-
  The refunds of a charge exceed the charge. Somebody refunded it twice, or by hand without looking at the other
  refunds. The release of an amount that was authorised and never captured doesn't count as a refund.
next_step: >-
  Look at the refunds of the charge in the payment provider's dashboard, and ask the customer for the difference.
severity: warn
owner: finance
key: [charge_id]
tolerance: {amount: 0}
--- */
WITH given_back AS (
    SELECT
        charge_id,
        currency,
        COUNT(*) AS refunds,
        CAST(SUM(amount) AS BIGINT) AS amount,
        MAX(created_at) AS last_at
    FROM payments.refunds
    WHERE _deleted_at IS NULL AND COALESCE(status, 'succeeded') NOT IN ('failed', 'canceled')
    GROUP BY charge_id, currency
)
SELECT
    c.id AS charge_id,
    l.order_number,
    COALESCE(c.amount_captured, c.amount) AS charged_amount,
    g.amount - COALESCE(c.amount_released, 0) AS refunded_amount,
    c.currency,
    g.refunds,
    c.created_at AS charged_at,
    g.last_at AS last_refunded_at
FROM payments.charges AS c
INNER JOIN given_back AS g ON g.charge_id = c.id AND g.currency = c.currency
LEFT JOIN analytics.money_links AS l ON l.document = 'charge' AND l.document_id = c.id
WHERE c._deleted_at IS NULL
    -- A release of what was never captured is among the refunds, and gives nothing back.
    AND g.amount - COALESCE(c.amount_released, 0) > COALESCE(c.amount_captured, c.amount) + $amount
