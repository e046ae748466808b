/* ---
description: >-
  The trial balance: the postings on each account in each month, and its balance at the month's end. It covers every
  month from the first with a posting on the account to the month of the last load, including months without postings.
  Only posted entries count, because drafts may still change. Amounts are debits less credits, in minor units of the
  books' currency.
owners: [finance]
columns:
  entity_id: Whose books these are.
  currency: Currency of the books, ISO 4217.
  month: First day of the month that the entries count for.
  account_id: The account; null for lines without one.
  code: Number in the chart.
  account: What it is called.
  section: Section of the statements; ledger_accounts.section.
  is_cash: Whether it is cash, or money at a bank.
  opening: Balance when the month began.
  debit: Debits of the month.
  credit: Credits of the month.
  year_end_closing: Debits less credits of the month that only close the books of a year; they are in debit and credit.
  balance: Balance at the end of the month.
  lines: Lines of the month.
  lines_in_foreign_currency: Those that were booked in another currency; the amount in that of the books counts.
checks:
  - unique: [entity_id, currency, account_id, month]
  - not_null: [month, section, balance]
  - accepted_values:
      section: [asset, liability, equity, revenue, expense, other_income, off_balance]
    severity: warn
--- */
WITH RECURSIVE lines AS (
    SELECT
        e.entity_id,
        l.currency,
        l.account_id,
        DATE_TRUNC('month', CAST(e.booked_on AS TIMESTAMP)) AS month,
        COALESCE(l.debit, 0) AS debit,
        COALESCE(l.credit, 0) AS credit,
        -- The wizard that closes a year moves the result to equity by an entry of which the year is the origin.
        COALESCE(e.source_kind = 'account.fiscalyear', FALSE) AS closes,
        CASE WHEN l.foreign_currency <> l.currency THEN 1 ELSE 0 END AS is_foreign
    FROM crm_accounting.journal_lines AS l
    JOIN crm_accounting.journal_entries AS e ON e.entry_id = l.entry_id
    WHERE l._deleted_at IS NULL
        AND e._deleted_at IS NULL
        AND e.status = 'posted'
        AND e.booked_on IS NOT NULL
),
booked AS (
    SELECT
        entity_id,
        currency,
        account_id,
        month,
        SUM(debit) AS debit,
        SUM(credit) AS credit,
        SUM(CASE WHEN closes THEN debit - credit ELSE 0 END) AS year_end_closing,
        COUNT(*) AS lines,
        SUM(is_foreign) AS lines_in_foreign_currency
    FROM lines
    GROUP BY entity_id, currency, account_id, month
),
loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'crm_accounting'
),
ends AS (
    -- All accounts of some books reach to the same month, for a balance sheet has all of them.
    SELECT
        b.entity_id,
        b.currency,
        GREATEST(
            MAX(b.month),
            DATE_TRUNC('month', MAX(l.at) AT TIME ZONE COALESCE(MAX(c.timezone), 'UTC'))
        ) AS month
    FROM booked AS b
    CROSS JOIN loaded AS l
    LEFT JOIN crm_accounting.company AS c ON c.entity_id = b.entity_id AND c._deleted_at IS NULL
    GROUP BY b.entity_id, b.currency
),
begins AS (
    SELECT entity_id, currency, account_id, MIN(month) AS month FROM booked GROUP BY entity_id, currency, account_id
),
calendar AS (
    SELECT MIN(month) AS month FROM begins
    UNION ALL
    SELECT month + INTERVAL 1 MONTH AS month FROM calendar WHERE month < (SELECT MAX(month) FROM ends)
),
spine AS (
    SELECT b.entity_id, b.currency, b.account_id, c.month
    FROM begins AS b
    JOIN ends AS e ON e.entity_id IS NOT DISTINCT FROM b.entity_id AND e.currency IS NOT DISTINCT FROM b.currency
    JOIN calendar AS c ON c.month BETWEEN b.month AND e.month
),
filled AS (
    SELECT
        entity_id,
        currency,
        account_id,
        month,
        0 AS debit,
        0 AS credit,
        0 AS year_end_closing,
        0 AS lines,
        0 AS lines_in_foreign_currency
    FROM spine
    UNION ALL
    SELECT
        entity_id,
        currency,
        account_id,
        month,
        debit,
        credit,
        year_end_closing,
        lines,
        lines_in_foreign_currency
    FROM booked
),
months AS (
    SELECT
        entity_id,
        currency,
        account_id,
        month,
        SUM(debit) AS debit,
        SUM(credit) AS credit,
        SUM(year_end_closing) AS year_end_closing,
        SUM(lines) AS lines,
        SUM(lines_in_foreign_currency) AS lines_in_foreign_currency,
        SUM(SUM(debit) - SUM(credit)) OVER (
            PARTITION BY entity_id, currency, account_id ORDER BY month
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS balance
    FROM filled
    GROUP BY entity_id, currency, account_id, month
)
SELECT
    m.entity_id,
    m.currency,
    CAST(m.month AS DATE) AS month,
    m.account_id,
    a.code,
    a.account,
    COALESCE(a.section, 'unclassified') AS section,
    COALESCE(a.is_cash, FALSE) AS is_cash,
    CAST(m.balance - m.debit + m.credit AS BIGINT) AS opening,
    CAST(m.debit AS BIGINT) AS debit,
    CAST(m.credit AS BIGINT) AS credit,
    CAST(m.year_end_closing AS BIGINT) AS year_end_closing,
    CAST(m.balance AS BIGINT) AS balance,
    CAST(m.lines AS BIGINT) AS lines,
    CAST(m.lines_in_foreign_currency AS BIGINT) AS lines_in_foreign_currency
FROM months AS m
LEFT JOIN ledger_accounts AS a ON a.account_id = m.account_id
