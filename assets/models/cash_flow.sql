/* ---
description: >-
  The cash flow of each month, per books and currency, by the direct method: what came to and left the cash and bank
  accounts, by the account on the other side of the posting. Only posted entries count; moving money between banks
  isn't a flow. There is one row for each month from the first entry on a cash account to the last load.
owners: [finance]
columns:
  entity_id: Whose books these are.
  currency: Currency of the books, ISO 4217.
  month: First day of the month.
  opening_cash: Balance of the cash and bank accounts when the month began, in minor units.
  from_customers: Cash against receivable and revenue accounts; less what was given back.
  to_suppliers: Cash against payable and expense accounts; negative when more left than came.
  other_operating: Cash against other operating accounts, such as taxes and stock.
  operating: from_customers, to_suppliers and other_operating together.
  investing: Cash against fixed and other non-current assets.
  financing: Cash against equity, loans and bonds.
  unclassified: Cash against accounts that the chart doesn't classify.
  net_change: All of it together.
  closing_cash: Balance of the cash and bank accounts at the end of the month.
  difference: closing_cash less opening_cash and net_change; zero while every entry balances.
checks:
  - unique: [entity_id, currency, month]
  - not_null: [month, opening_cash, operating, investing, financing, unclassified, net_change, closing_cash]
  - range: {difference: {min: 0, max: 0}}
    severity: warn
--- */
WITH lines AS (
    SELECT
        e.entity_id,
        l.currency,
        l.entry_id,
        DATE_TRUNC('month', CAST(e.booked_on AS TIMESTAMP)) AS month,
        COALESCE(l.debit, 0) - COALESCE(l.credit, 0) AS amount,
        COALESCE(a.is_cash, FALSE) AS is_cash,
        COALESCE(a.activity, 'unclassified') AS activity,
        CASE
            WHEN c.kind = 'receivable' OR a.section = 'revenue' THEN 'from_customers'
            WHEN c.kind = 'payable' OR a.section = 'expense' THEN 'to_suppliers'
            ELSE 'other'
        END AS party
    FROM crm_accounting.journal_lines AS l
    JOIN crm_accounting.journal_entries AS e ON e.entry_id = l.entry_id
    LEFT JOIN ledger_accounts AS a ON a.account_id = l.account_id
    LEFT JOIN crm_accounting.accounts AS c ON c.account_id = l.account_id AND c._deleted_at IS NULL
    WHERE l._deleted_at IS NULL
        AND e._deleted_at IS NULL
        AND e.status = 'posted'
        AND e.booked_on IS NOT NULL
),
moving AS (
    SELECT DISTINCT entry_id FROM lines WHERE is_cash
),
-- An entry balances, so what its other lines say is what happened to cash, the other way round.
flows AS (
    SELECT
        l.entity_id,
        l.currency,
        l.month,
        -SUM(CASE WHEN activity = 'operating' AND party = 'from_customers' THEN amount ELSE 0 END) AS from_customers,
        -SUM(CASE WHEN activity = 'operating' AND party = 'to_suppliers' THEN amount ELSE 0 END) AS to_suppliers,
        -SUM(CASE WHEN activity = 'operating' AND party = 'other' THEN amount ELSE 0 END) AS other_operating,
        -SUM(CASE WHEN activity = 'investing' THEN amount ELSE 0 END) AS investing,
        -SUM(CASE WHEN activity = 'financing' THEN amount ELSE 0 END) AS financing,
        -SUM(CASE WHEN activity = 'unclassified' THEN amount ELSE 0 END) AS unclassified,
        -SUM(amount) AS net_change
    FROM lines AS l
    JOIN moving AS m ON m.entry_id = l.entry_id
    WHERE NOT l.is_cash
    GROUP BY l.entity_id, l.currency, l.month
),
cash AS (
    SELECT entity_id, currency, month, SUM(opening) AS opening_cash, SUM(balance) AS closing_cash
    FROM account_balances
    WHERE is_cash
    GROUP BY entity_id, currency, month
)
SELECT
    c.entity_id,
    c.currency,
    c.month,
    CAST(c.opening_cash AS BIGINT) AS opening_cash,
    CAST(COALESCE(f.from_customers, 0) AS BIGINT) AS from_customers,
    CAST(COALESCE(f.to_suppliers, 0) AS BIGINT) AS to_suppliers,
    CAST(COALESCE(f.other_operating, 0) AS BIGINT) AS other_operating,
    CAST(COALESCE(f.from_customers + f.to_suppliers + f.other_operating, 0) AS BIGINT) AS operating,
    CAST(COALESCE(f.investing, 0) AS BIGINT) AS investing,
    CAST(COALESCE(f.financing, 0) AS BIGINT) AS financing,
    CAST(COALESCE(f.unclassified, 0) AS BIGINT) AS unclassified,
    CAST(COALESCE(f.net_change, 0) AS BIGINT) AS net_change,
    CAST(c.closing_cash AS BIGINT) AS closing_cash,
    CAST(c.closing_cash - c.opening_cash - COALESCE(f.net_change, 0) AS BIGINT) AS difference
FROM cash AS c
LEFT JOIN flows AS f ON f.month = c.month AND f.entity_id = c.entity_id AND f.currency = c.currency
