/* ---
title: Nothing is refunded twice
description: >-
  Two refunds of one charge have the same amount and are close together in time: somebody clicked twice, or two people
  answered the same customer. Two returned items with the same price look the same, so ask before you undo anything.
  If all refunds together exceed the charge, refund_above_charge reports it.
next_step: Ask those who made the refunds whether both were meant. If not, ask the customer to return one.
severity: warn
owner: finance
key: [charge_id, refunded_amount]
tolerance: {apart: P1D}
--- */
WITH refunds AS (
    SELECT
        id,
        charge_id,
        amount,
        currency,
        created_at,
        LAG(created_at) OVER (PARTITION BY charge_id, currency, amount ORDER BY created_at, id) AS before_at,
        LAG(id) OVER (PARTITION BY charge_id, currency, amount ORDER BY created_at, id) AS before_id,
        SUM(amount) OVER (PARTITION BY charge_id, currency) AS given_back
    FROM payments.refunds
    WHERE _deleted_at IS NULL AND COALESCE(status, 'succeeded') NOT IN ('failed', 'canceled') AND amount > 0
        AND id NOT IN (SELECT refund_id FROM analytics.released_refunds)
)
SELECT
    r.charge_id,
    MIN(l.order_number) AS order_number,
    MIN(COALESCE(c.amount_captured, c.amount)) AS charged_amount,
    r.amount AS refunded_amount,
    r.currency,
    COUNT(*) + 1 AS times,
    MIN(r.before_id) AS refund_id,
    MAX(r.id) AS other_refund_id,
    MIN(r.before_at) AS refunded_at,
    MAX(r.created_at) AS refunded_again_at
FROM refunds AS r
INNER JOIN payments.charges AS c ON c.id = r.charge_id AND c._deleted_at IS NULL
LEFT JOIN analytics.money_links AS l ON l.document = 'charge' AND l.document_id = c.id
WHERE r.created_at - $apart <= r.before_at AND r.given_back <= COALESCE(c.amount_captured, c.amount)
GROUP BY r.charge_id, r.amount, r.currency
