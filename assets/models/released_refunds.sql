/* ---
description: >-
  Refunds that gave no money back: what was authorised and not captured was released, and versions of Stripe's API
  before 2025-03-31 call that a refund. Failed and cancelled refunds are left out.
owners: [finance]
optional: [payments]
columns:
  refund_id: The refund; payments.refunds.id.
  charge_id: The charge whose amount was authorised; payments.charges.id.
checks:
  - unique: refund_id
  - not_null: [refund_id, charge_id]
--- */
WITH candidates AS (
    SELECT
        r.id,
        r.charge_id,
        CASE
            -- Nothing was captured: all of them. Else the first one of the amount that was released.
            WHEN c.amount_captured = 0 THEN 1
            ELSE ROW_NUMBER() OVER (PARTITION BY r.charge_id ORDER BY r.created_at, r.id)
        END AS place
    FROM payments.refunds AS r
    INNER JOIN payments.charges AS c ON c.id = r.charge_id AND c._deleted_at IS NULL AND c.amount_released > 0
    WHERE r._deleted_at IS NULL
        AND COALESCE(r.status, 'succeeded') NOT IN ('failed', 'canceled')
        AND (c.amount_captured = 0 OR r.amount = c.amount_released)
)
SELECT id AS refund_id, charge_id
FROM candidates
WHERE place = 1
