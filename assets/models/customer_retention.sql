/* ---
description: >-
  The share of the customers of a month who pay again later: customers by the month of their first successful charge,
  and how many of them had a successful charge n months after. There is one row for each cohort and month up to the
  last load, even if nobody came back. Charges without a customer are left out; refunds don't count against anybody.
owners: [finance]
columns:
  cohort: First day of the month of the first successful charge, UTC.
  months_later: How many months after; 0 is the month itself.
  month: First day of the month that is looked at.
  customers: Customers of the cohort.
  active: Those with a successful charge in the month.
  retention: active by customers, 0 to 1; 1 in month 0.
  complete: Whether the month was over when payments were loaded last.
checks:
  - unique: [cohort, months_later]
  - not_null: [cohort, months_later, month, customers, active, retention, complete]
  - range: {months_later: {min: 0}, customers: {min: 1}, retention: {min: 0, max: 1}}
--- */
WITH RECURSIVE active AS (
    SELECT DISTINCT customer_id, DATE_TRUNC('month', created_at AT TIME ZONE 'UTC') AS month
    FROM payments.charges
    WHERE _deleted_at IS NULL AND status = 'succeeded' AND customer_id IS NOT NULL AND created_at IS NOT NULL
),
firsts AS (
    SELECT customer_id, MIN(month) AS cohort FROM active GROUP BY customer_id
),
cohorts AS (
    SELECT cohort, COUNT(*) AS customers FROM firsts GROUP BY cohort
),
back AS (
    SELECT f.cohort, a.month, COUNT(*) AS active
    FROM active AS a
    JOIN firsts AS f ON f.customer_id = a.customer_id
    GROUP BY f.cohort, a.month
),
loaded AS (
    SELECT DATE_TRUNC('month', MAX(applied_at) AT TIME ZONE 'UTC') AS month
    FROM leat.loads
    WHERE integration = 'payments'
),
calendar AS (
    SELECT MIN(month) AS month FROM active
    UNION ALL
    SELECT month + INTERVAL 1 MONTH AS month FROM calendar WHERE month < (SELECT month FROM loaded)
)
SELECT
    CAST(c.cohort AS DATE) AS cohort,
    CAST(
        (EXTRACT(YEAR FROM m.month) - EXTRACT(YEAR FROM c.cohort)) * 12
        + EXTRACT(MONTH FROM m.month) - EXTRACT(MONTH FROM c.cohort) AS BIGINT
    ) AS months_later,
    CAST(m.month AS DATE) AS month,
    c.customers,
    COALESCE(b.active, 0) AS active,
    CAST(COALESCE(b.active, 0) AS DOUBLE) / c.customers AS retention,
    m.month < (SELECT month FROM loaded) AS complete
FROM cohorts AS c
JOIN calendar AS m ON m.month >= c.cohort
LEFT JOIN back AS b ON b.cohort = c.cohort AND b.month = m.month
