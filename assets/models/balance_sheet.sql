/* ---
description: >-
  The balance sheet at the end of each month, per books and currency, from posted entries: all postings up to the
  month's last day, including results that no entry has moved to equity yet. It balances: difference is zero. The last
  month is as of the last load of the books; account_balances has the details by account.
owners: [finance]
columns:
  entity_id: Whose books these are.
  currency: Currency of the books, ISO 4217.
  month: First day of the month; amounts are as of its end.
  assets: What is owned and owed to us; debits less credits, in minor units.
  cash: The part of assets that is cash, or money at banks.
  receivables: >-
    The part of assets that isn't cash and can be matched with what settles it: what customers owe, less what they paid
    ahead.
  liabilities: What is owed to others; credits less debits.
  equity: Capital, reserves, and the results that were moved there; credits less debits.
  result_of_year: Result of the calendar year so far that hasn't been moved to equity.
  earlier_results: Results of earlier years that were never moved to equity; nothing when each year was closed.
  unclassified: Debits less credits on accounts that the chart doesn't classify.
  difference: assets plus unclassified, less liabilities, equity, result_of_year and earlier_results; always zero.
checks:
  - unique: [entity_id, currency, month]
  - not_null: [month, assets, liabilities, equity, result_of_year, earlier_results, difference]
  - range: {difference: {min: 0, max: 0}}
    severity: warn
--- */
WITH receivable AS (
    SELECT account_id FROM crm_accounting.accounts WHERE _deleted_at IS NULL AND kind = 'receivable'
),
balances AS (
    SELECT
        b.*,
        -- What was booked on the account since the year began, for accounts of the income statement.
        SUM(b.debit - b.credit) OVER (
            PARTITION BY b.entity_id, b.currency, b.account_id, EXTRACT(YEAR FROM b.month) ORDER BY b.month
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS of_year,
        b.section IN ('revenue', 'expense', 'other_income') AS is_result,
        r.account_id IS NOT NULL AS is_receivable
    FROM account_balances AS b
    LEFT JOIN receivable AS r ON r.account_id = b.account_id
    WHERE b.section <> 'off_balance'
)
SELECT
    entity_id,
    currency,
    month,
    CAST(SUM(CASE WHEN section = 'asset' THEN balance ELSE 0 END) AS BIGINT) AS assets,
    CAST(SUM(CASE WHEN is_cash THEN balance ELSE 0 END) AS BIGINT) AS cash,
    CAST(SUM(CASE WHEN is_receivable THEN balance ELSE 0 END) AS BIGINT) AS receivables,
    CAST(-SUM(CASE WHEN section = 'liability' THEN balance ELSE 0 END) AS BIGINT) AS liabilities,
    CAST(-SUM(CASE WHEN section = 'equity' THEN balance ELSE 0 END) AS BIGINT) AS equity,
    CAST(-SUM(CASE WHEN is_result THEN of_year ELSE 0 END) AS BIGINT) AS result_of_year,
    CAST(-SUM(CASE WHEN is_result THEN balance - of_year ELSE 0 END) AS BIGINT) AS earlier_results,
    CAST(SUM(CASE WHEN section = 'unclassified' THEN balance ELSE 0 END) AS BIGINT) AS unclassified,
    CAST(SUM(balance) AS BIGINT) AS difference
FROM balances
GROUP BY entity_id, currency, month
