/* ---
description: >-
  What customers pay with: successful charges by month, currency, kind of payment method, and brand, funding and
  country of the card.
grain: [month, currency]
owners: [finance]
columns:
  month: First day of the month of the charge, UTC.
  currency: Currency of the charges, ISO 4217.
  method: Kind of payment method, for example card or sepa_debit; unknown where nothing is said.
  brand: Brand of the card, for example visa; unknown for other methods, and when the method was never loaded.
  funding: credit, debit, prepaid or unknown.
  country: Country of the card or account, ISO 3166; unknown where nothing is said.
  charges: Charges that succeeded.
  customers: Different customers who paid so; charges without a customer aren't counted.
  charged: What was captured, in minor units.
  share: Share of all charges of the month in the currency, by number, 0 to 1.
  charged_share: Share of what was captured in the month in the currency; null when nothing was.
checks:
  - unique: [month, currency, method, brand, funding, country]
  - not_null: [month, currency, method, brand, funding, country, charges, charged]
  - range: {share: {min: 0, max: 1}}
--- */
WITH charges AS (
    SELECT
        CAST(DATE_TRUNC('month', c.created_at AT TIME ZONE 'UTC') AS DATE) AS month,
        c.currency,
        COALESCE(c.payment_method_type, m.type, 'unknown') AS method,
        COALESCE(m.brand, 'unknown') AS brand,
        COALESCE(m.funding, 'unknown') AS funding,
        COALESCE(m.country, 'unknown') AS country,
        c.customer_id,
        COALESCE(c.amount_captured, c.amount, 0) AS amount
    FROM payments.charges AS c
    -- Also methods that were detached since (_deleted_at): that is what was paid with.
    LEFT JOIN payments.payment_methods AS m ON m.id = c.payment_method_id
    WHERE c._deleted_at IS NULL AND c.status = 'succeeded' AND COALESCE(c.captured, TRUE)
)
SELECT
    month,
    currency,
    method,
    brand,
    funding,
    country,
    COUNT(*) AS charges,
    COUNT(DISTINCT customer_id) AS customers,
    CAST(SUM(amount) AS BIGINT) AS charged,
    CAST(COUNT(*) AS DOUBLE) / CAST(SUM(COUNT(*)) OVER (PARTITION BY month, currency) AS DOUBLE) AS share,
    CAST(SUM(amount) AS DOUBLE)
        / NULLIF(CAST(SUM(SUM(amount)) OVER (PARTITION BY month, currency) AS DOUBLE), 0) AS charged_share
FROM charges
GROUP BY month, currency, method, brand, funding, country
