/* ---
description: >-
  Every document about money: charges, refunds and disputes of the payment provider, invoices, credit notes and
  bookings of the books, receipts by mail, invoices as files. There is one row for each, with the number of the order
  or invoice that it names, and where it names it. The model money_links says which belong together.
owners: [finance]
optional: [payments, crm_accounting, email, cloud_storage]
columns:
  document: charge, refund, dispute, invoice, credit_note, booking, receipt or file.
  document_id: >-
    Its key: the id of a charge, refund, dispute, invoice or credit note; payment and document of a booking;
    Message-ID of a receipt, or receipt/ and the charge where the provider sent it; bucket/key of a file.
  parent_document: Kind of the document that it belongs to by its id; null for none.
  parent_id: The document that it belongs to by its id.
  reference: Number of the order or invoice that it names, in small letters, without words such as order no.
  about: Whether that is the number of an order, of an invoice, or any of the two.
  told_by: >-
    Where the number is: metadata, reference, subject, description, file_name, gateway_invoice or number.
  number: Number of an invoice or credit note.
  company_id: Company of an invoice, credit note or booking; crm_accounting.companies.company_id.
  address: Mail address of who paid, or of who got the receipt, lower case.
  amount: In minor units of the currency; of a charge what was captured.
  open_amount: What of an invoice is still to be paid, in minor units; all of one that isn't posted.
  currency: ISO 4217.
  happened_at: Time of what has one.
  happened_on: Day (UTC) of that time, or the date that the document has.
  status: Its state, as its system calls it; of a receipt sent or bounced.
  counts: Whether it moves money, a charge that succeeded and was captured, a refund that wasn't stopped, and so on.
  method: Journal of a booking.
  entry_id: Journal entry of an invoice, credit note or booking; crm_accounting.journal_entries.entry_id.
  payout_id: Payout that brought a charge or refund to the bank; payments.payouts.id.
checks:
  - unique: [document, document_id]
  - not_null: [document, document_id, counts]
  - accepted_values: {document: [charge, refund, dispute, invoice, credit_note, booking, receipt, file]}
  - accepted_values: {about: [order, invoice, any]}
--- */
WITH accounts AS (
    SELECT DISTINCT LOWER(account) AS address FROM email.mailboxes WHERE _deleted_at IS NULL
),
outgoing AS (
    -- The same message may lie in several mailboxes. Who only answers or forwards a receipt doesn't send one.
    SELECT
        COALESCE(m.message_id, CONCAT_WS('/', m.account, m.mailbox, m.uidvalidity, m.uid)) AS message,
        MIN(m.subject) AS subject,
        MIN(COALESCE(m.date, m.received_at)) AS sent_at,
        MIN(r.email) AS address
    FROM email.messages AS m
    INNER JOIN accounts AS a ON a.address = m.from_email
    INNER JOIN email.recipients AS r
        ON r.account = m.account AND r.mailbox = m.mailbox AND r.uidvalidity = m.uidvalidity AND r.uid = m.uid
        AND r._deleted_at IS NULL AND r.role IN ('to', 'cc', 'bcc')
    LEFT JOIN accounts AS o ON o.address = r.email
    LEFT JOIN email.mailboxes AS b ON b.account = m.account AND b.mailbox = m.mailbox AND b._deleted_at IS NULL
    WHERE m._deleted_at IS NULL
        AND o.address IS NULL
        AND COALESCE(b.role, '') NOT IN ('drafts', 'trash', 'junk')
        AND REGEXP_MATCHES(
            LOWER(m.subject),
            '(^|[^a-z])(receipt|payment confirmation|quittung|zahlungsbest|re(ç|Ç)u |recibo|ricevuta|kwitantie)'
        )
        AND NOT REGEXP_MATCHES(LOWER(TRIM(m.subject)), '^(re|aw|sv|fw|fwd|wg|tr|rv) ?:')
    GROUP BY COALESCE(m.message_id, CONCAT_WS('/', m.account, m.mailbox, m.uidvalidity, m.uid))
),
bounced AS (
    SELECT DISTINCT COALESCE(b.original_message_id, m.in_reply_to) AS message
    FROM email.bounces AS b
    LEFT JOIN email.messages AS m
        ON m.account = b.account AND m.mailbox = b.mailbox AND m.uidvalidity = b.uidvalidity AND m.uid = b.uid
    WHERE b._deleted_at IS NULL AND b.action = 'failed'
),
files AS (
    SELECT CONCAT_WS('/', bucket, key) AS file, key, last_modified
    FROM cloud_storage.objects
    WHERE _deleted_at IS NULL
        AND (LOWER(key) LIKE '%.pdf' OR LOWER(key) LIKE '%.odt')
        AND REGEXP_MATCHES(LOWER(key), 'invoice|rechnung|facture|factura|fattura|factuur|faktur')
),
texts AS (
    SELECT 'charge' AS document, id AS document_id, description AS text, 2 AS rank, 'description' AS told_by
    FROM payments.charges
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT 'invoice', invoice_id, description, 2, 'description' FROM crm_accounting.invoices WHERE _deleted_at IS NULL
    UNION ALL
    SELECT 'receipt', message, subject, 1, 'subject' FROM outgoing
    UNION ALL
    SELECT 'file', file, REGEXP_REPLACE(REGEXP_REPLACE(LOWER(key), '^.*/', ''), '[.](pdf|odt)$', ''), 1, 'file_name'
    FROM files
),
plain_texts AS (
    SELECT document, document_id, rank, told_by, REGEXP_REPLACE(LOWER(TRIM(text)), '\s+', ' ', 'g') AS text
    FROM texts
    WHERE text IS NOT NULL
),
named AS MATERIALIZED (
    -- Numbers that a text names after a word for order or invoice; without a prefix such as INV-, of three characters.
    -- One group alone captures: with six of them Postgres takes five times as long.
    SELECT
        document,
        document_id,
        rank,
        CASE WHEN document = 'file' THEN 'any' ELSE 'order' END AS about,
        told_by,
        REGEXP_REPLACE(
            text,
            '^(?:.*[^a-z0-9])?(?:orders?|bestellung|auftrag|commande|pedido|ordine|#)[ .:#]*'
            || '(?:(?:no|nr|number|nummer)[ .:#]+)?'
            || '([a-z]{1,6}[-_/][0-9][a-z0-9/_-]*|[a-z]{0,6}[0-9][a-z0-9/_-]{2,})(?:[^a-z0-9].*)?$',
            '\1'
        ) AS value,
        text
    FROM plain_texts
    UNION ALL
    SELECT
        document,
        document_id,
        rank + 3 AS rank,
        CASE WHEN document = 'file' THEN 'any' ELSE 'invoice' END AS about,
        told_by,
        REGEXP_REPLACE(
            text,
            '^(?:.*[^a-z0-9])?(?:invoice|rechnung|facture|factura|fattura|factuur|faktura)[ .:#_-]*'
            || '(?:(?:no|nr|number|nummer)[ .:#]+)?'
            || '([a-z]{1,6}[-_/][0-9][a-z0-9/_-]*|[a-z]{0,6}[0-9][a-z0-9/_-]{2,})(?:[^a-z0-9].*)?$',
            '\1'
        ) AS value,
        text
    FROM plain_texts
),
told AS (
    SELECT document, document_id, rank, about, told_by, value FROM named WHERE value <> text
    UNION ALL
    SELECT document, document_id, 9 AS rank, 'any' AS about, told_by, text FROM plain_texts WHERE document = 'file'
    UNION ALL
    SELECT
        'charge',
        id,
        1,
        'order',
        'metadata',
        COALESCE(
            CAST(metadata AS JSON) ->> '$.order',
            CAST(metadata AS JSON) ->> '$.order_number',
            CAST(metadata AS JSON) ->> '$.order_id',
            CAST(metadata AS JSON) ->> '$.order_no'
        )
    FROM payments.charges
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT
        'charge',
        id,
        3,
        'invoice',
        'metadata',
        COALESCE(CAST(metadata AS JSON) ->> '$.invoice', CAST(metadata AS JSON) ->> '$.invoice_number')
    FROM payments.charges
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT 'charge', c.id, 4, 'invoice', 'gateway_invoice', i.number
    FROM payments.charges AS c
    INNER JOIN payments.invoices AS i ON i.id = c.invoice_id AND i._deleted_at IS NULL
    WHERE c._deleted_at IS NULL
    UNION ALL
    -- A reference that leat gave by itself, leat:<id of the action>, is no number of an order.
    SELECT 'invoice', invoice_id, 1, 'order', 'reference', reference
    FROM crm_accounting.invoices
    WHERE _deleted_at IS NULL AND reference NOT LIKE 'leat:%'
    UNION ALL
    SELECT 'invoice', invoice_id, 9, 'invoice', 'number', number FROM crm_accounting.invoices WHERE _deleted_at IS NULL
    UNION ALL
    SELECT 'credit_note', credit_note_id, 1, 'order', 'reference', reference
    FROM crm_accounting.credit_notes
    WHERE _deleted_at IS NULL AND kind = 'customer' AND reference NOT LIKE 'leat:%'
),
spelt AS (
    SELECT
        document,
        document_id,
        rank,
        about,
        told_by,
        RTRIM(
            REGEXP_REPLACE(
                LOWER(TRIM(value)),
                '^(?:(?:orders?|bestellung|auftrag|commande|pedido|ordine|no|nr|number|nummer|invoice|rechnung|facture|'
                || 'factura|fattura|factuur|faktura)[ .:#_-]+)*#?',
                ''
            ),
            '-_/'
        ) AS reference
    FROM told
),
references_told AS (
    SELECT
        document,
        document_id,
        reference,
        about,
        told_by,
        ROW_NUMBER() OVER (PARTITION BY document, document_id ORDER BY rank, about, reference) AS place
    FROM spelt
    WHERE REGEXP_MATCHES(reference, '[0-9]')
),
documents AS (
    SELECT
        'charge' AS document,
        c.id AS document_id,
        CAST(NULL AS VARCHAR) AS parent_document,
        CAST(NULL AS VARCHAR) AS parent_id,
        CAST(NULL AS VARCHAR) AS number,
        CAST(NULL AS VARCHAR) AS company_id,
        LOWER(TRIM(COALESCE(c.receipt_email, CAST(c.billing_details AS JSON) ->> '$.email', u.email))) AS address,
        CASE WHEN c.status = 'succeeded' THEN COALESCE(c.amount_captured, c.amount) ELSE c.amount END AS amount,
        CAST(NULL AS BIGINT) AS open_amount,
        c.currency,
        c.created_at AS happened_at,
        CAST(NULL AS DATE) AS dated_on,
        c.status,
        c.status = 'succeeded' AND COALESCE(c.captured, TRUE) AS counts,
        CAST(NULL AS VARCHAR) AS method,
        CAST(NULL AS VARCHAR) AS entry_id,
        b.payout_id
    FROM payments.charges AS c
    LEFT JOIN payments.customers AS u ON u.id = c.customer_id
    LEFT JOIN payments.balance_transactions AS b ON b.id = c.balance_transaction_id AND b._deleted_at IS NULL
    WHERE c._deleted_at IS NULL
    UNION ALL
    SELECT
        'refund', r.id, 'charge', r.charge_id, NULL, NULL, NULL, r.amount, NULL, r.currency, r.created_at, NULL,
        r.status,
        COALESCE(r.status, 'succeeded') NOT IN ('failed', 'canceled') AND r.id NOT IN (SELECT refund_id FROM released_refunds),
        NULL, NULL, b.payout_id
    FROM payments.refunds AS r
    LEFT JOIN payments.balance_transactions AS b ON b.id = r.balance_transaction_id AND b._deleted_at IS NULL
    WHERE r._deleted_at IS NULL
    UNION ALL
    SELECT
        'dispute', id, 'charge', charge_id, NULL, NULL, NULL, amount, NULL, currency, created_at, NULL, status,
        status NOT IN ('won', 'warning_needs_response', 'warning_under_review', 'warning_closed'), NULL, NULL, NULL
    FROM payments.disputes
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT
        'receipt', CONCAT('receipt/', id), 'charge', id, NULL, NULL, LOWER(TRIM(receipt_email)), NULL, NULL, NULL,
        created_at, NULL, 'sent', TRUE, NULL, NULL, NULL
    FROM payments.charges
    WHERE _deleted_at IS NULL AND receipt_number IS NOT NULL
    UNION ALL
    SELECT
        'invoice', invoice_id, NULL, NULL, number, customer_id, NULL, amount,
        CASE WHEN status IN ('posted', 'paid') THEN COALESCE(open_amount, 0) ELSE amount END, currency, NULL, issued_on,
        status, status <> 'cancelled', NULL, entry_id, NULL
    FROM crm_accounting.invoices
    WHERE _deleted_at IS NULL
    UNION ALL
    SELECT
        'credit_note', credit_note_id,
        CASE WHEN CAST(credits AS JSON) ->> '$[0]' IS NOT NULL THEN 'invoice' END,
        CAST(credits AS JSON) ->> '$[0]',
        number, company_id, NULL, amount, open_amount, currency, NULL, issued_on, status,
        status IN ('posted', 'paid'), NULL, entry_id, NULL
    FROM crm_accounting.credit_notes
    WHERE _deleted_at IS NULL AND kind = 'customer'
    UNION ALL
    SELECT
        'booking', CONCAT_WS('/', p.payment_id, p.document, p.document_id),
        CASE WHEN p.document = 'invoices' THEN 'invoice' ELSE 'credit_note' END, p.document_id,
        NULL, p.company_id, NULL, p.amount, NULL, p.currency, NULL, p.paid_on,
        CASE WHEN p.settled THEN 'settled' ELSE 'open' END, TRUE, p.method, p.entry_id, NULL
    FROM crm_accounting.payments AS p
    LEFT JOIN crm_accounting.credit_notes AS c ON p.document = 'credit_notes' AND c.credit_note_id = p.document_id
    WHERE p._deleted_at IS NULL AND (p.document = 'invoices' OR c.kind = 'customer')
    UNION ALL
    SELECT
        'receipt', o.message, NULL, NULL, NULL, NULL, o.address, NULL, NULL, NULL, o.sent_at, NULL,
        CASE WHEN b.message IS NULL THEN 'sent' ELSE 'bounced' END, TRUE, NULL, NULL, NULL
    FROM outgoing AS o
    LEFT JOIN bounced AS b ON b.message = o.message
    UNION ALL
    SELECT
        'file', file, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, last_modified, NULL, 'stored', TRUE,
        NULL, NULL, NULL
    FROM files
)
SELECT
    d.document,
    d.document_id,
    d.parent_document,
    d.parent_id,
    r.reference,
    r.about,
    r.told_by,
    LOWER(TRIM(d.number)) AS number,
    d.company_id,
    d.address,
    d.amount,
    d.open_amount,
    d.currency,
    d.happened_at,
    COALESCE(d.dated_on, CAST(d.happened_at AT TIME ZONE 'UTC' AS DATE)) AS happened_on,
    d.status,
    COALESCE(d.counts, FALSE) AS counts,
    d.method,
    d.entry_id,
    d.payout_id
FROM documents AS d
LEFT JOIN references_told AS r ON r.document = d.document AND r.document_id = d.document_id AND r.place = 1
