/* ---
description: >-
  Monthly recurring revenue at the end of each month and what changed it, per currency, from subscription_items. The
  last month is as of the last load. Trials bring nothing until they end. A subscription that is past due still
  counts; one that is unpaid, paused, incomplete or ended doesn't. Changes are per customer, so somebody who switches
  from one subscription to another is neither new nor lost. What begins and ends within one month changes nothing.
owners: [finance]
columns:
  month: First day of the month (UTC); amounts are as of its end.
  currency: Currency of the subscriptions, ISO 4217.
  opening: Revenue a month when the month began, in minor units.
  new: From customers who had none before.
  reactivated: From customers who had some once, but not at the end of the month before.
  expansion: What customers pay more than at the end of the month before.
  contraction: What customers pay less, those who left not counted.
  churned: What went with customers who pay nothing any more.
  mrr: Revenue a month at the end; opening, new, reactivated and expansion less contraction and churned.
  annualised: Twelve times mrr.
  customers: Customers who pay at the end of the month.
  customers_new: Those who had never paid before.
  customers_churned: Customers who paid at the end of the month before, and don't any more.
  churn_rate: churned by opening; null when nothing could be lost.
  subscriptions: Subscriptions that are paid for at the end of the month.
  trialing: What subscriptions in trial at the end of the month will bring a month if they stay; not in mrr.
  subscriptions_trialing: How many of those there are.
  past_due: The part of mrr whose last payment failed; only for the last month, null before.
  ending: The part of mrr that is cancelled for a later day; only for the last month, null before.
  unpriced_items: Running items without a computable monthly revenue; subscription_items.unpriced.
checks:
  - unique: [month, currency]
  - not_null: [month, currency, opening, new, reactivated, expansion, contraction, churned, mrr]
  - range: {mrr: {min: 0}, churn_rate: {min: 0, max: 1}}
--- */
WITH RECURSIVE loaded AS (
    SELECT MAX(applied_at) AT TIME ZONE 'UTC' AS at FROM leat.loads WHERE integration = 'payments'
),
items AS (
    SELECT
        subscription_id,
        COALESCE(customer_id, subscription_id) AS customer,
        status,
        currency,
        monthly_amount,
        unpriced,
        trial_from AT TIME ZONE 'UTC' AS trial_from,
        paying_from AT TIME ZONE 'UTC' AS paying_from,
        paying_until AT TIME ZONE 'UTC' AS paying_until,
        ending
    FROM subscription_items
),
calendar AS (
    SELECT DATE_TRUNC('month', MIN(LEAST(COALESCE(trial_from, paying_from), paying_from))) AS month FROM items
    UNION ALL
    SELECT month + INTERVAL 1 MONTH AS month
    FROM calendar
    WHERE month < (SELECT DATE_TRUNC('month', at) FROM loaded)
),
-- Just before as_of, which is the end of the month, or now in the month that isn't over.
months AS (
    SELECT
        c.month,
        LEAST(c.month + INTERVAL 1 MONTH, l.at) AS as_of,
        c.month + INTERVAL 1 MONTH > l.at AS is_last
    FROM calendar AS c
    CROSS JOIN loaded AS l
    WHERE c.month <= l.at
),
paying AS (
    SELECT m.month, m.is_last, i.*
    FROM items AS i
    JOIN months AS m ON m.as_of > i.paying_from AND (i.paying_until IS NULL OR m.as_of <= i.paying_until)
),
trying AS (
    SELECT
        m.month,
        i.currency,
        SUM(COALESCE(i.monthly_amount, 0)) AS trialing,
        COUNT(DISTINCT i.subscription_id) AS subscriptions
    FROM items AS i
    JOIN months AS m
        ON m.as_of > i.trial_from
        AND (i.paying_from IS NULL OR m.as_of <= i.paying_from)
        AND (i.paying_until IS NULL OR m.as_of <= i.paying_until)
    GROUP BY m.month, i.currency
),
totals AS (
    SELECT
        month,
        currency,
        SUM(COALESCE(monthly_amount, 0)) AS mrr,
        COUNT(DISTINCT subscription_id) AS subscriptions,
        SUM(CASE WHEN is_last AND status = 'past_due' THEN COALESCE(monthly_amount, 0) ELSE 0 END) AS past_due,
        SUM(CASE WHEN is_last AND ending THEN COALESCE(monthly_amount, 0) ELSE 0 END) AS ending,
        COUNT(unpriced) AS unpriced_items
    FROM paying
    GROUP BY month, currency
),
by_customer AS (
    SELECT customer, currency, month, SUM(monthly_amount) AS mrr
    FROM paying
    GROUP BY customer, currency, month
    HAVING SUM(monthly_amount) > 0
),
neighbours AS (
    SELECT
        *,
        LAG(month) OVER (PARTITION BY customer, currency ORDER BY month) AS month_before,
        LAG(mrr) OVER (PARTITION BY customer, currency ORDER BY month) AS mrr_before,
        LEAD(month) OVER (PARTITION BY customer, currency ORDER BY month) AS month_after
    FROM by_customer
),
moves AS (
    SELECT
        month,
        currency,
        mrr,
        CASE WHEN month_before IS NULL THEN mrr ELSE 0 END AS gained,
        CASE WHEN month_before + INTERVAL 1 MONTH < month THEN mrr ELSE 0 END AS reactivated,
        CASE WHEN month_before + INTERVAL 1 MONTH = month THEN mrr - mrr_before ELSE 0 END AS changed,
        0 AS churned
    FROM neighbours
    UNION ALL
    SELECT
        month + INTERVAL 1 MONTH AS month,
        currency,
        0 AS mrr,
        0 AS gained,
        0 AS reactivated,
        0 AS changed,
        mrr AS churned
    FROM neighbours
    WHERE month_after IS NULL OR month_after > month + INTERVAL 1 MONTH
),
moved AS (
    SELECT
        month,
        currency,
        SUM(gained) AS gained,
        SUM(reactivated) AS reactivated,
        SUM(GREATEST(changed, 0)) AS expansion,
        SUM(GREATEST(-changed, 0)) AS contraction,
        SUM(churned) AS churned,
        SUM(CASE WHEN mrr > 0 THEN 1 ELSE 0 END) AS customers,
        SUM(CASE WHEN gained > 0 THEN 1 ELSE 0 END) AS customers_new,
        SUM(CASE WHEN churned > 0 THEN 1 ELSE 0 END) AS customers_churned
    FROM moves
    GROUP BY month, currency
),
currencies AS (
    SELECT currency, DATE_TRUNC('month', MIN(LEAST(COALESCE(trial_from, paying_from), paying_from))) AS month
    FROM items
    GROUP BY currency
),
filled AS (
    SELECT
        m.month,
        c.currency,
        m.is_last,
        COALESCE(t.mrr, 0) AS mrr,
        COALESCE(LAG(t.mrr) OVER (PARTITION BY c.currency ORDER BY m.month), 0) AS opening,
        COALESCE(t.subscriptions, 0) AS subscriptions,
        COALESCE(t.past_due, 0) AS past_due,
        COALESCE(t.ending, 0) AS ending,
        COALESCE(t.unpriced_items, 0) AS unpriced_items
    FROM currencies AS c
    JOIN months AS m ON m.month >= c.month
    LEFT JOIN totals AS t ON t.month = m.month AND t.currency = c.currency
)
SELECT
    CAST(f.month AS DATE) AS month,
    f.currency,
    CAST(f.opening AS BIGINT) AS opening,
    CAST(COALESCE(v.gained, 0) AS BIGINT) AS new,
    CAST(COALESCE(v.reactivated, 0) AS BIGINT) AS reactivated,
    CAST(COALESCE(v.expansion, 0) AS BIGINT) AS expansion,
    CAST(COALESCE(v.contraction, 0) AS BIGINT) AS contraction,
    CAST(COALESCE(v.churned, 0) AS BIGINT) AS churned,
    CAST(f.mrr AS BIGINT) AS mrr,
    CAST(12 * f.mrr AS BIGINT) AS annualised,
    CAST(COALESCE(v.customers, 0) AS BIGINT) AS customers,
    CAST(COALESCE(v.customers_new, 0) AS BIGINT) AS customers_new,
    CAST(COALESCE(v.customers_churned, 0) AS BIGINT) AS customers_churned,
    CAST(COALESCE(v.churned, 0) AS DOUBLE) / NULLIF(CAST(f.opening AS DOUBLE), 0) AS churn_rate,
    f.subscriptions,
    CAST(COALESCE(t.trialing, 0) AS BIGINT) AS trialing,
    COALESCE(t.subscriptions, 0) AS subscriptions_trialing,
    CASE WHEN f.is_last THEN CAST(f.past_due AS BIGINT) END AS past_due,
    CASE WHEN f.is_last THEN CAST(f.ending AS BIGINT) END AS ending,
    f.unpriced_items
FROM filled AS f
LEFT JOIN moved AS v ON v.month = f.month AND v.currency = f.currency
LEFT JOIN trying AS t ON t.month = f.month AND t.currency = f.currency
