/* ---
description: >-
  Profit and loss of each month, per books and currency, from posted entries. The entry that closes a year is left
  out, because it would set the year's result to zero. There is one row for each month from the first entry to the
  last load; account_balances has the details by account.
owners: [finance]
columns:
  entity_id: Whose books these are.
  currency: Currency of the books, ISO 4217.
  month: First day of the month.
  revenue: Credits less debits on revenue accounts, so credit notes are taken off; in minor units.
  expenses: Debits less credits on expense accounts; in minor units.
  other_income: Credits less debits on accounts of the income statement for which the chart doesn't say the side.
  result: revenue less expenses plus other_income; a loss is negative.
  result_of_year: >-
    The results of the calendar year up to and including this month; the books don't provide fiscal years.
  complete: Whether the month was over when the books were loaded last; entries of a past month may still be posted.
checks:
  - unique: [entity_id, currency, month]
  - not_null: [month, revenue, expenses, other_income, result, result_of_year, complete]
--- */
WITH months AS (
    SELECT
        entity_id,
        currency,
        month,
        SUM(CASE WHEN section = 'revenue' THEN credit - debit + year_end_closing ELSE 0 END) AS revenue,
        SUM(CASE WHEN section = 'expense' THEN debit - credit - year_end_closing ELSE 0 END) AS expenses,
        SUM(CASE WHEN section = 'other_income' THEN credit - debit + year_end_closing ELSE 0 END) AS other_income
    FROM account_balances
    GROUP BY entity_id, currency, month
),
today AS (
    SELECT c.entity_id, CAST(MAX(l.applied_at) AT TIME ZONE COALESCE(MAX(c.timezone), 'UTC') AS DATE) AS day
    FROM crm_accounting.company AS c
    CROSS JOIN leat.loads AS l
    WHERE l.integration = 'crm_accounting' AND c._deleted_at IS NULL
    GROUP BY c.entity_id
)
SELECT
    m.entity_id,
    m.currency,
    m.month,
    CAST(m.revenue AS BIGINT) AS revenue,
    CAST(m.expenses AS BIGINT) AS expenses,
    CAST(m.other_income AS BIGINT) AS other_income,
    CAST(m.revenue - m.expenses + m.other_income AS BIGINT) AS result,
    CAST(SUM(m.revenue - m.expenses + m.other_income) OVER (
        PARTITION BY m.entity_id, m.currency, EXTRACT(YEAR FROM m.month) ORDER BY m.month
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS BIGINT) AS result_of_year,
    COALESCE(m.month < DATE_TRUNC('month', CAST(t.day AS TIMESTAMP)), FALSE) AS complete
FROM months AS m
LEFT JOIN today AS t ON t.entity_id = m.entity_id
