/* ---
description: >-
  What is still to be paid on invoices, bills and credit notes at the last load of the books: one row for each part
  with its own due date. Where the books don't say which part a payment settled, it counts for the parts that are due
  first. Drafts and cancelled documents are left out.
owners: [finance]
columns:
  document: Stream of the document, in crm_accounting; invoices, bills or credit_notes.
  document_id: The document, in that stream.
  part: 1 for the part that is due first.
  side: receivable for invoices and what is given back on them, payable for bills and what is got back on them.
  entity_id: Whose books these are.
  company_id: With whom; crm_accounting.companies.company_id.
  number: Number of the document.
  issued_on: Date of the document.
  due_on: Day on which the part has to be paid; the document's date where nothing is said.
  currency: Currency of the amounts, ISO 4217.
  amount: What the part was at first, in minor units; negative on credit notes.
  open_amount: >-
    What is left of it; negative on credit notes, and on what was overpaid, for it lowers what is owed.
  overpaid: Whether more was paid than the document says.
  days_overdue: Whole days since due_on, on the calendar of the books; negative while it isn't due.
  bucket: not_due, 1_to_30, 31_to_60, 61_to_90 or over_90 days overdue; credit for what lowers the debt.
checks:
  - unique: [document, document_id, part]
  - not_null: [document, document_id, part, side, currency, open_amount, bucket]
  - accepted_values:
      document: [invoices, bills, credit_notes]
      side: [receivable, payable]
      bucket: [not_due, 1_to_30, 31_to_60, 61_to_90, over_90, credit]
--- */
WITH documents AS (
    SELECT
        'invoices' AS document,
        invoice_id AS document_id,
        'receivable' AS side,
        1 AS sign,
        1 AS debit_sign,
        entity_id,
        customer_id AS company_id,
        number,
        issued_on,
        due_on,
        amount,
        open_amount,
        currency,
        entry_id
    FROM crm_accounting.invoices
    WHERE _deleted_at IS NULL AND status IN ('posted', 'paid') AND open_amount <> 0
    UNION ALL
    SELECT
        'bills' AS document,
        bill_id AS document_id,
        'payable' AS side,
        1 AS sign,
        -1 AS debit_sign,
        entity_id,
        vendor_id AS company_id,
        number,
        issued_on,
        due_on,
        amount,
        open_amount,
        currency,
        entry_id
    FROM crm_accounting.bills
    WHERE _deleted_at IS NULL AND status IN ('posted', 'paid') AND open_amount <> 0
    UNION ALL
    SELECT
        'credit_notes' AS document,
        credit_note_id AS document_id,
        CASE WHEN kind = 'vendor' THEN 'payable' ELSE 'receivable' END AS side,
        -1 AS sign,
        CASE WHEN kind = 'vendor' THEN 1 ELSE -1 END AS debit_sign,
        entity_id,
        company_id,
        number,
        issued_on,
        due_on,
        amount,
        open_amount,
        currency,
        entry_id
    FROM crm_accounting.credit_notes
    WHERE _deleted_at IS NULL AND status IN ('posted', 'paid') AND open_amount <> 0
),
-- The lines on receivable or payable accounts of the document's own entry, in the document's currency.
lines AS (
    SELECT
        d.document,
        d.document_id,
        d.amount AS total,
        l.due_on,
        l.line_id,
        l.reconciliation IS NOT NULL AS settled,
        d.debit_sign * CASE
            WHEN l.foreign_currency = d.currency THEN l.foreign_amount
            WHEN l.currency = d.currency THEN COALESCE(l.debit, 0) - COALESCE(l.credit, 0)
        END AS amount
    FROM documents AS d
    JOIN crm_accounting.journal_lines AS l ON l.entry_id = d.entry_id AND l._deleted_at IS NULL
    JOIN crm_accounting.accounts AS a ON a.account_id = l.account_id AND a._deleted_at IS NULL
    WHERE a.kind = d.side AND l.due_on IS NOT NULL
),
told AS (
    SELECT document, document_id
    FROM lines
    GROUP BY document, document_id, total
    HAVING SUM(amount) = total AND MIN(amount) > 0 AND COUNT(amount) = COUNT(*)
),
parts AS (
    SELECT
        l.document,
        l.document_id,
        l.due_on,
        l.amount,
        ROW_NUMBER() OVER (PARTITION BY l.document, l.document_id ORDER BY l.due_on, l.line_id) AS part,
        CASE WHEN l.settled THEN 0 ELSE l.amount END AS unsettled,
        SUM(CASE WHEN l.settled THEN 0 ELSE l.amount END) OVER (
            PARTITION BY l.document, l.document_id ORDER BY l.due_on DESC, l.line_id DESC
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS unsettled_from_here
    FROM lines AS l
    JOIN told AS t ON t.document = l.document AND t.document_id = l.document_id
),
-- More is open, or less than nothing, than the parts can hold: the document is then one part.
fitting AS (
    SELECT p.document, p.document_id
    FROM parts AS p
    JOIN documents AS d ON d.document = p.document AND d.document_id = p.document_id
    GROUP BY p.document, p.document_id, d.open_amount
    HAVING d.open_amount BETWEEN 1 AND SUM(p.unsettled)
),
open_parts AS (
    SELECT
        d.*,
        COALESCE(p.part, 1) AS part,
        COALESCE(p.due_on, d.due_on, d.issued_on) AS part_due_on,
        COALESCE(p.amount, d.amount) AS part_amount,
        -- The last parts are open first: of the part at hand, what the later ones leave.
        CASE
            WHEN p.part IS NULL THEN d.open_amount
            ELSE LEAST(p.unsettled, GREATEST(d.open_amount - (p.unsettled_from_here - p.unsettled), 0))
        END AS part_open
    FROM documents AS d
    LEFT JOIN fitting AS f ON f.document = d.document AND f.document_id = d.document_id
    LEFT JOIN parts AS p ON p.document = f.document AND p.document_id = f.document_id
),
today AS (
    SELECT c.entity_id, CAST(MAX(l.applied_at) AT TIME ZONE COALESCE(MAX(c.timezone), 'UTC') AS DATE) AS day
    FROM crm_accounting.company AS c
    CROSS JOIN leat.loads AS l
    WHERE l.integration = 'crm_accounting' AND c._deleted_at IS NULL
    GROUP BY c.entity_id
),
utc AS (
    SELECT CAST(MAX(applied_at) AT TIME ZONE 'UTC' AS DATE) AS day
    FROM leat.loads
    WHERE integration = 'crm_accounting'
),
aged AS (
    SELECT o.*, CAST(COALESCE(t.day, u.day) - o.part_due_on AS BIGINT) AS days_overdue
    FROM open_parts AS o
    CROSS JOIN utc AS u
    LEFT JOIN today AS t ON t.entity_id = o.entity_id
    WHERE o.part_open <> 0
)
SELECT
    document,
    document_id,
    CAST(part AS BIGINT) AS part,
    side,
    entity_id,
    company_id,
    number,
    issued_on,
    part_due_on AS due_on,
    currency,
    CAST(sign * part_amount AS BIGINT) AS amount,
    CAST(sign * part_open AS BIGINT) AS open_amount,
    open_amount < 0 AS overpaid,
    CAST(days_overdue AS BIGINT) AS days_overdue,
    CASE
        WHEN sign * part_open < 0 THEN 'credit'
        WHEN days_overdue <= 0 OR days_overdue IS NULL THEN 'not_due'
        WHEN days_overdue <= 30 THEN '1_to_30'
        WHEN days_overdue <= 60 THEN '31_to_60'
        WHEN days_overdue <= 90 THEN '61_to_90'
        ELSE 'over_90'
    END AS bucket
FROM aged
