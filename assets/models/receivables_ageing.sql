/* ---
description: >-
  What customers owe at the last load of the books, by how long it has been overdue: one row for each customer and
  currency.
owners: [finance]
columns:
  entity_id: Whose books these are.
  company_id: The customer; crm_accounting.companies.company_id.
  company: Name of the customer, as the CRM has it now.
  currency: Currency of the amounts, ISO 4217; amounts of different currencies are different rows.
  documents: Invoices with an open amount; an invoice with several open parts counts once.
  not_due: What isn't due yet, in minor units.
  overdue_1_to_30: What is 1 to 30 days overdue.
  overdue_31_to_60: What is 31 to 60 days overdue.
  overdue_61_to_90: What is 61 to 90 days overdue.
  overdue_over_90: What is more than 90 days overdue.
  total: All of that together.
  credits: Credit notes that weren't used or paid out yet, and what was overpaid, as a negative amount.
  net: What is left when the credits are used up; negative when there are more of them.
  oldest_due_on: Day on which the oldest open part had or has to be paid; null when there are credits alone.
  days_most_overdue: Whole days since then; 0 when nothing is overdue.
checks:
  - unique: [entity_id, company_id, currency]
  - not_null: [currency, total, credits, net]
  - range: {total: {min: 0}, credits: {max: 0}, days_most_overdue: {min: 0}}
--- */
SELECT
    o.entity_id,
    o.company_id,
    MAX(c.name) AS company,
    o.currency,
    COUNT(DISTINCT CASE WHEN o.bucket <> 'credit' THEN o.document_id END) AS documents,
    CAST(SUM(CASE WHEN o.bucket = 'not_due' THEN o.open_amount ELSE 0 END) AS BIGINT) AS not_due,
    CAST(SUM(CASE WHEN o.bucket = '1_to_30' THEN o.open_amount ELSE 0 END) AS BIGINT) AS overdue_1_to_30,
    CAST(SUM(CASE WHEN o.bucket = '31_to_60' THEN o.open_amount ELSE 0 END) AS BIGINT) AS overdue_31_to_60,
    CAST(SUM(CASE WHEN o.bucket = '61_to_90' THEN o.open_amount ELSE 0 END) AS BIGINT) AS overdue_61_to_90,
    CAST(SUM(CASE WHEN o.bucket = 'over_90' THEN o.open_amount ELSE 0 END) AS BIGINT) AS overdue_over_90,
    CAST(SUM(CASE WHEN o.bucket <> 'credit' THEN o.open_amount ELSE 0 END) AS BIGINT) AS total,
    CAST(SUM(CASE WHEN o.bucket = 'credit' THEN o.open_amount ELSE 0 END) AS BIGINT) AS credits,
    CAST(SUM(o.open_amount) AS BIGINT) AS net,
    MIN(CASE WHEN o.bucket <> 'credit' THEN o.due_on END) AS oldest_due_on,
    CAST(COALESCE(MAX(CASE WHEN o.bucket <> 'credit' AND o.days_overdue > 0 THEN o.days_overdue END), 0) AS BIGINT)
        AS days_most_overdue
FROM open_documents AS o
LEFT JOIN crm_accounting.companies AS c ON c.company_id = o.company_id AND c._deleted_at IS NULL
WHERE o.side = 'receivable'
GROUP BY o.entity_id, o.company_id, o.currency
