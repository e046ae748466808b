/* ---
description: >-
  The section of the statements that each account of the books belongs to. The kind of the account decides if it is
  specific; otherwise the path of its type, by the words that English, French, German and Spanish charts use. An
  account that neither classifies is unclassified, and stays visible as such in every statement. Headings, which have
  no postings, are left out.
grain: [account_id]
owners: [finance]
columns:
  account_id: The account; crm_accounting.accounts.account_id.
  entity_id: Whose books these are; crm_accounting.company.entity_id.
  currency: Currency of the books, ISO 4217.
  code: Number in the chart.
  account: What it is called.
  section: asset, liability, equity, revenue, expense, other_income, off_balance or unclassified; other_income is of the
    income statement, and the chart doesn't say which side of it.
  is_cash: Whether it is cash, or money at a bank.
  activity: >-
    What money that comes or goes against it is for in the cash flow statement: investing (fixed and other non-current
    assets), financing (equity, loans, bonds), operating (all else of the statements) or unclassified.
checks:
  - unique: [account_id]
  - not_null: [account_id, section, is_cash, activity]
  - accepted_values:
      section: [asset, liability, equity, revenue, expense, other_income, off_balance, unclassified]
      activity: [operating, investing, financing, unclassified]
--- */
WITH accounts AS (
    SELECT
        account_id,
        entity_id,
        currency,
        code,
        name,
        kind,
        statement,
        LOWER(COALESCE(type, '')) AS path,
        LOWER(COALESCE(name, '')) AS called
    FROM crm_accounting.accounts
    WHERE _deleted_at IS NULL AND kind IS NOT NULL
),
-- "Liabilities\Assets for current tax" is a liability: the word nearest to the root decides.
found AS (
    SELECT
        *,
        LEAST(
            NULLIF(STRPOS(path, 'assets'), 0),
            NULLIF(STRPOS(path, 'actif'), 0),
            NULLIF(STRPOS(path, 'aktiva'), 0),
            NULLIF(STRPOS(path, 'activos'), 0)
        ) AS asset_at,
        LEAST(
            NULLIF(STRPOS(path, 'liabilities'), 0),
            NULLIF(STRPOS(path, 'passif'), 0),
            NULLIF(STRPOS(path, 'passiva'), 0),
            NULLIF(STRPOS(path, 'pasivo'), 0)
        ) AS liability_at,
        LEAST(
            NULLIF(STRPOS(path, 'equity'), 0),
            NULLIF(STRPOS(path, 'capitaux propres'), 0),
            NULLIF(STRPOS(path, 'eigenkapital'), 0),
            NULLIF(STRPOS(path, 'fondos propios'), 0)
        ) AS equity_at
    FROM accounts
),
sections AS (
    SELECT
        *,
        CASE
            WHEN statement = 'off-balance' THEN 'off_balance'
            WHEN kind = 'revenue' THEN 'revenue'
            WHEN kind = 'expense' THEN 'expense'
            WHEN statement = 'income'
                AND REGEXP_MATCHES(path, 'expense|cost|depreciation|losses|dépense|charge|coût|perte|amortissement')
                THEN 'expense'
            WHEN statement = 'income'
                AND REGEXP_MATCHES(path, 'aufw[aä]nd|kosten|abschreibung|gasto|coste|depreciación') THEN 'expense'
            WHEN statement = 'income' AND REGEXP_MATCHES(path, 'revenue|gains|revenu|produits|ertr[aä]g|ingresos')
                THEN 'revenue'
            WHEN statement = 'income' THEN 'other_income'
            WHEN kind IN ('receivable', 'asset') THEN 'asset'
            WHEN kind IN ('payable', 'debt') THEN 'liability'
            WHEN asset_at < COALESCE(LEAST(liability_at, equity_at), asset_at + 1) THEN 'asset'
            -- Charts of the continent file equity under liabilities.
            WHEN equity_at IS NOT NULL THEN 'equity'
            WHEN liability_at IS NOT NULL THEN 'liability'
            ELSE 'unclassified'
        END AS section,
        REGEXP_MATCHES(path, 'non-current assets|fixed assets|anlagevermögen|no corrientes|actifs? (non|immobilis)')
            AS lasting
    FROM found
),
cash AS (
    SELECT
        *,
        section = 'asset'
            AND kind <> 'receivable'
            AND NOT lasting
            AND (
                REGEXP_MATCHES(path, 'cash|barmittel|bankguthaben|efectivo|trésorerie|espèces')
                OR REGEXP_MATCHES(called, '(^|[^a-z])(cash|banks?|kasse|caja|bancos?|caisse|banques?)([^a-z]|$)')
            ) AS is_cash
    FROM sections
)
SELECT
    account_id,
    entity_id,
    currency,
    code,
    name AS account,
    section,
    is_cash,
    CASE
        WHEN section IN ('unclassified', 'off_balance') THEN 'unclassified'
        WHEN section = 'equity' OR kind = 'debt' THEN 'financing'
        WHEN section = 'liability' AND kind <> 'payable'
            AND REGEXP_MATCHES(path, 'financial liabilities|finanzielle verb|financieros|financiers')
            THEN 'financing'
        WHEN section = 'liability' AND kind <> 'payable'
            AND REGEXP_MATCHES(called, 'loans?([^a-z]|$)|mortgage|bonds?([^a-z]|$)|darlehen|préstamo|emprunt')
            THEN 'financing'
        WHEN section = 'asset' AND lasting THEN 'investing'
        WHEN section = 'asset' AND kind = 'asset'
            AND NOT REGEXP_MATCHES(path, 'current assets|umlaufvermögen|activos corrientes|actifs? circulant')
            THEN 'investing'
        ELSE 'operating'
    END AS activity
FROM cash
