/* ---
title: Amounts are in the minor unit of their currency
description: >-
  What was charged for an order and what was invoiced differ by exactly ten, a hundred or a thousand: somewhere an
  amount was taken for one in hundredths. Yen have no decimals, dinars of Kuwait have three (ISO 4217).
next_step: Find the program that carries amounts between the two systems, and have it take decimals from ISO 4217.
severity: warn
owner: finance
key: [order_key]
needs: [payments, crm_accounting]
tolerance: {settle: P1D}
--- */
SELECT
    order_key,
    order_number,
    charged_amount,
    invoiced_amount,
    currency,
    CAST(GREATEST(charged_amount, invoiced_amount) / LEAST(charged_amount, invoiced_amount) AS BIGINT) AS factor,
    last_charge_id AS charge_id,
    invoice_id,
    invoice_number,
    charged_at,
    invoiced_on
FROM analytics.orders
WHERE agreement = 'exponent' AND charged_at < $now - $settle
