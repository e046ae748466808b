/* ---
title: Amounts are in the minor unit of their currency
description: >-
  The amounts charged and invoiced for an order differ by a factor of exactly ten, a hundred or a thousand: some
  program assumed two decimals. The yen has none, the Kuwaiti dinar has three (ISO 4217).
next_step: Identify the program that copies amounts between the two systems, and make it use the decimals of ISO 4217.
severity: warn
owner: finance
key: [order_key]
sides:
  payments: [charged_amount, charge_id, charged_at]
  crm_accounting: [invoiced_amount, invoice_id, invoice_number, invoiced_on]
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
