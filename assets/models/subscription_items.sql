/* ---
description: >-
  What each item of each subscription is worth per month, and during which period it is paid for. A price per year,
  week or day is converted to a month: a year is 12 months, 52 weeks or 365 days. These are list prices: discounts,
  taxes and usage-based billing aren't included. Today's price and quantity apply to the past too, because the
  provider doesn't report earlier ones.
grain: [subscription_id]
owners: [finance]
columns:
  subscription_id: The subscription; payments.subscriptions.id.
  item: The item of the subscription; first for the only one of a subscription that doesn't list its items.
  customer_id: The customer; payments.customers.id.
  status: >-
    State of the subscription at the last load; incomplete, incomplete_expired, trialing, active, past_due, canceled,
    unpaid or paused.
  currency: Currency of the subscription, ISO 4217; of its price, where it says none; unknown without either.
  price_id: The price; payments.prices.id.
  product_id: The product; payments.products.id.
  quantity: How many.
  billing_interval: day, week, month or year.
  interval_count: How many intervals a period has.
  monthly_amount: What it brings per month, in minor units, rounded to whole ones; null if it can't be computed.
  unpriced: >-
    Why it can't; metered (billed by use), tiered, currency (the price is in another one) or unknown (no such price).
  trial_from: When the trial begins or began; null without one.
  paying_from: When it began to be paid for, after the trial; null while the trial has no end.
  paying_until: >-
    When that ended; null while it goes on. An unpaid one ended with the last period that was paid for; one that is
    paused, incomplete or expired before it was ever paid for ends as it begins.
  ending: Whether it runs, but is cancelled for a later day.
checks:
  - unique: [subscription_id, item]
  - not_null: [subscription_id, item, currency]
  - range: {monthly_amount: {min: 0}}
  - accepted_values: {unpriced: [metered, tiered, currency, unknown]}
--- */
WITH listed AS (
    SELECT
        s.id AS subscription_id,
        e.value ->> '$.id' AS item,
        COALESCE(e.value -> '$.price' ->> '$.id', e.value -> '$.plan' ->> '$.id') AS price_id,
        CAST(e.value ->> '$.quantity' AS BIGINT) AS quantity
    FROM payments.subscriptions AS s
    CROSS JOIN UNNEST(CAST(CASE WHEN CAST(s.items AS VARCHAR) LIKE '[%' THEN s.items END AS JSON[])) AS e(value)
    WHERE s._deleted_at IS NULL
),
items AS (
    SELECT subscription_id, item, price_id, quantity FROM listed
    UNION ALL
    SELECT s.id AS subscription_id, 'first' AS item, s.price_id, s.quantity
    FROM payments.subscriptions AS s
    LEFT JOIN (SELECT DISTINCT subscription_id FROM listed) AS l ON l.subscription_id = s.id
    WHERE s._deleted_at IS NULL AND l.subscription_id IS NULL
),
spans AS (
    SELECT
        s.*,
        COALESCE(s.started_at, s.created_at) AS began_at,
        CASE
            WHEN s.status = 'trialing' OR s.trial_end_at > COALESCE(s.started_at, s.created_at) THEN s.trial_end_at
            ELSE COALESCE(s.started_at, s.created_at)
        END AS paying_from
    FROM payments.subscriptions AS s
    WHERE s._deleted_at IS NULL
),
priced AS (
    SELECT
        s.id AS subscription_id,
        i.item,
        s.customer_id,
        s.status,
        COALESCE(s.currency, p.currency, 'unknown') AS currency,
        i.price_id,
        p.product_id,
        COALESCE(i.quantity, 1) AS quantity,
        p.interval AS billing_interval,
        p.interval_count,
        CASE
            WHEN p.usage_type = 'metered' THEN 'metered'
            WHEN p.billing_scheme = 'tiered' THEN 'tiered'
            WHEN p.currency <> s.currency THEN 'currency'
            WHEN COALESCE(p.unit_amount_decimal, CAST(p.unit_amount AS VARCHAR)) IS NULL THEN 'unknown'
            WHEN p.interval IS NULL THEN 'unknown'
        END AS unpriced,
        CAST(COALESCE(p.unit_amount_decimal, CAST(p.unit_amount AS VARCHAR)) AS DOUBLE) AS unit_amount,
        -- Months in a period, times 12.
        COALESCE(p.interval_count, 1) * CASE p.interval
            WHEN 'year' THEN 144.0
            WHEN 'month' THEN 12.0
            WHEN 'week' THEN 144.0 / 52
            WHEN 'day' THEN 144.0 / 365
        END AS twelfths,
        CASE WHEN s.trial_end_at > s.began_at THEN s.began_at END AS trial_from,
        s.paying_from,
        CASE
            WHEN s.status IN ('incomplete', 'incomplete_expired', 'paused') THEN COALESCE(s.paying_from, s.began_at)
            WHEN s.status = 'unpaid' THEN COALESCE(s.current_period_start_at, s.ended_at, s.paying_from)
            WHEN s.status = 'canceled' THEN COALESCE(s.ended_at, s.canceled_at, s.paying_from)
            ELSE s.ended_at
        END AS paying_until,
        s.ended_at IS NULL AND (s.cancel_at IS NOT NULL OR COALESCE(s.cancel_at_period_end, FALSE)) AS ending
    FROM items AS i
    JOIN spans AS s ON s.id = i.subscription_id
    LEFT JOIN payments.prices AS p ON p.id = i.price_id AND p._deleted_at IS NULL
)
SELECT
    subscription_id,
    item,
    customer_id,
    status,
    currency,
    price_id,
    product_id,
    quantity,
    billing_interval,
    interval_count,
    -- Not ROUND: the engines round a half differently.
    CASE
        WHEN unpriced IS NULL THEN CAST(FLOOR(unit_amount * quantity * 12 / CAST(twelfths AS DOUBLE) + 0.5) AS BIGINT)
    END AS monthly_amount,
    unpriced,
    trial_from,
    paying_from,
    paying_until,
    ending
FROM priced
