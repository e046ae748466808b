/* ---
description: >-
  Which money documents belong together. There is one row for each row of money_documents, each in exactly one order.
  A charge and its invoice match by the number that both name, otherwise by equal amount, currency and customer within
  seven days; refunds, bookings and credit notes by the document that they belong to; receipts and files by the number
  that they name. A document without a match is an order of its own.
owners: [finance]
columns:
  document: charge, refund, dispute, invoice, credit_note, booking, receipt or file.
  document_id: Its key; money_documents.document_id.
  order_key: The order that it belongs to; its number, or the document itself where nobody names a number.
  order_number: Number of the order in small letters; null where nobody names one.
  matched_by: >-
    How it was matched: id (it names the document it belongs to), metadata, reference, subject, description,
    file_name, gateway_invoice or number (it names the order or invoice there), amount (equal amount, currency and
    customer), address (a receipt to the address of a charge, within two days), or nothing.
  confidence: >-
    1 for an id and for a number in a field of its own, 0.9 for one in a text or a number of an invoice, 0.6 for an
    amount, 0.5 for an address, 0 for nothing.
  others: How many other documents the order has; 0 if this is the only one.
  by_gateway: >-
    Of a booking, whether its journal is that of the payment provider, in which most invoices that are paid have a
    charge; other journals are of transfers and cash. Null for other documents.
checks:
  - unique: [document, document_id]
  - not_null: [document, document_id, order_key, matched_by, confidence, others]
  - range: {confidence: {min: 0, max: 1}}
--- */
WITH invoice_numbers AS (
    -- By its number, an invoice is known by the reference that it has itself.
    SELECT number, MIN(reference) AS order_key
    FROM money_documents
    WHERE document = 'invoice' AND number IS NOT NULL AND counts
    GROUP BY number
    HAVING COUNT(*) = 1
),
charges AS (
    SELECT
        d.document_id,
        d.told_by,
        COALESCE(CASE WHEN d.about = 'invoice' THEN n.order_key END, d.reference) AS order_key,
        d.amount,
        d.currency,
        d.happened_on,
        REGEXP_REPLACE(d.address, '[+][^@]*@', '@') AS address,
        d.counts
    FROM money_documents AS d
    LEFT JOIN invoice_numbers AS n ON n.number = d.reference
    WHERE d.document = 'charge'
),
charge_keys AS (
    SELECT order_key FROM charges WHERE counts AND order_key IS NOT NULL GROUP BY order_key
),
invoice_keys AS (
    SELECT reference AS order_key
    FROM money_documents
    WHERE document = 'invoice' AND counts AND reference IS NOT NULL
    GROUP BY reference
),
addresses AS (
    SELECT DISTINCT company_id, plain_email FROM known_addresses WHERE company_id IS NOT NULL
),
lonely_charges AS (
    SELECT
        a.company_id,
        c.document_id,
        c.order_key,
        c.amount,
        c.currency,
        c.happened_on,
        -- The same shape, such as 9 for 1001 and 1002: two numbers of one kind that differ are two orders.
        REGEXP_REPLACE(REGEXP_REPLACE(c.order_key, '[0-9]+', '9', 'g'), '[a-z]+', 'a', 'g') AS shape,
        ROW_NUMBER() OVER (
            PARTITION BY a.company_id, c.amount, c.currency, c.happened_on ORDER BY c.document_id
        ) AS place
    FROM charges AS c
    INNER JOIN addresses AS a ON a.plain_email = c.address
    LEFT JOIN invoice_keys AS k ON k.order_key = c.order_key
    WHERE c.counts AND k.order_key IS NULL
),
lonely_invoices AS (
    SELECT
        d.company_id,
        d.document_id,
        d.reference,
        d.amount,
        d.currency,
        d.happened_on,
        CASE WHEN d.told_by <> 'number'
            THEN REGEXP_REPLACE(REGEXP_REPLACE(d.reference, '[0-9]+', '9', 'g'), '[a-z]+', 'a', 'g')
        END AS shape,
        ROW_NUMBER() OVER (
            PARTITION BY d.company_id, d.amount, d.currency, d.happened_on ORDER BY d.document_id
        ) AS place
    FROM money_documents AS d
    LEFT JOIN charge_keys AS k ON k.order_key = d.reference
    WHERE d.document = 'invoice' AND d.counts AND k.order_key IS NULL
),
candidates AS (
    SELECT
        c.document_id AS charge_id,
        COALESCE(c.order_key, CONCAT('charge ', c.document_id)) AS order_key,
        i.document_id AS invoice_id,
        ROW_NUMBER() OVER (
            PARTITION BY c.document_id
            ORDER BY ABS(i.happened_on - c.happened_on), i.happened_on, i.document_id
        ) AS place_of_invoice,
        ROW_NUMBER() OVER (
            PARTITION BY i.document_id
            ORDER BY ABS(i.happened_on - c.happened_on), c.happened_on, c.document_id
        ) AS place_of_charge
    FROM lonely_charges AS c
    INNER JOIN lonely_invoices AS i
        ON i.company_id = c.company_id AND i.amount = c.amount AND i.currency = c.currency AND i.place = c.place
        AND i.happened_on BETWEEN c.happened_on - 7 AND c.happened_on + 7
    WHERE c.shape IS NULL OR i.shape IS NULL OR c.shape <> i.shape
),
pairs AS (
    SELECT invoice_id, order_key FROM candidates WHERE place_of_invoice = 1 AND place_of_charge = 1
),
invoices AS (
    SELECT
        d.document_id,
        d.number,
        d.reference,
        COALESCE(p.order_key, d.reference, CONCAT('invoice ', d.document_id)) AS order_key,
        CASE WHEN p.order_key IS NULL THEN COALESCE(d.told_by, 'nothing') ELSE 'amount' END AS matched_by
    FROM money_documents AS d
    LEFT JOIN pairs AS p ON p.invoice_id = d.document_id
    WHERE d.document = 'invoice'
),
other_names AS (
    -- What else an order is called: the number of its invoice, or its reference when another one was found by amount.
    SELECT i.number AS name, MIN(i.order_key) AS order_key, FALSE AS is_reference
    FROM invoices AS i
    LEFT JOIN charge_keys AS c ON c.order_key = i.number
    LEFT JOIN invoice_keys AS k ON k.order_key = i.number AND k.order_key <> COALESCE(i.reference, '')
    WHERE i.number IS NOT NULL AND c.order_key IS NULL AND k.order_key IS NULL
    GROUP BY i.number
    HAVING COUNT(*) = 1
    UNION ALL
    SELECT reference, MIN(order_key), TRUE
    FROM invoices
    WHERE matched_by = 'amount' AND reference IS NOT NULL AND COALESCE(reference, '') <> COALESCE(number, '')
    GROUP BY reference
    HAVING COUNT(DISTINCT order_key) = 1
),
names AS (
    SELECT name, MIN(order_key) AS order_key, BOOL_OR(is_reference) AS is_reference
    FROM other_names
    GROUP BY name
    HAVING COUNT(*) = 1
),
nameless_receipts AS (
    SELECT
        r.document_id,
        COALESCE(c.order_key, CONCAT('charge ', c.document_id)) AS order_key,
        ROW_NUMBER() OVER (
            PARTITION BY r.document_id ORDER BY ABS(r.happened_on - c.happened_on), c.happened_on, c.document_id
        ) AS place_of_charge,
        ROW_NUMBER() OVER (
            PARTITION BY c.document_id ORDER BY ABS(r.happened_on - c.happened_on), r.happened_on, r.document_id
        ) AS place_of_receipt
    FROM money_documents AS r
    INNER JOIN charges AS c
        ON c.address = REGEXP_REPLACE(r.address, '[+][^@]*@', '@') AND c.counts
        AND r.happened_on BETWEEN c.happened_on - 2 AND c.happened_on + 2
    WHERE r.document = 'receipt' AND r.reference IS NULL AND r.parent_id IS NULL
),
leading AS (
    SELECT
        'charge' AS document,
        document_id,
        COALESCE(order_key, CONCAT('charge ', document_id)) AS order_key,
        CASE WHEN order_key IS NULL THEN 'nothing' ELSE told_by END AS matched_by
    FROM charges
    UNION ALL
    SELECT 'invoice', document_id, order_key, matched_by FROM invoices
),
credit_notes AS (
    SELECT
        d.document,
        d.document_id,
        COALESCE(l.order_key, n.order_key, d.reference, CONCAT('credit_note ', d.document_id)) AS order_key,
        CASE WHEN l.order_key IS NULL THEN COALESCE(d.told_by, 'nothing') ELSE 'id' END AS matched_by
    FROM money_documents AS d
    LEFT JOIN leading AS l ON l.document = d.parent_document AND l.document_id = d.parent_id
    LEFT JOIN names AS n ON n.name = d.reference AND n.is_reference
    WHERE d.document = 'credit_note'
),
parents AS (
    SELECT document, document_id, order_key, matched_by FROM leading
    UNION ALL
    SELECT document, document_id, order_key, matched_by FROM credit_notes
),
resolved AS (
    SELECT document, document_id, order_key, matched_by FROM parents
    UNION ALL
    SELECT
        d.document,
        d.document_id,
        COALESCE(p.order_key, n.order_key, a.order_key, d.reference, CONCAT(d.document, ' ', d.document_id)),
        CASE
            WHEN p.order_key IS NOT NULL THEN 'id'
            WHEN n.order_key IS NOT NULL AND NOT n.is_reference THEN 'number'
            WHEN a.order_key IS NOT NULL THEN 'address'
            ELSE COALESCE(d.told_by, 'nothing')
        END
    FROM money_documents AS d
    LEFT JOIN parents AS p ON p.document = d.parent_document AND p.document_id = d.parent_id
    LEFT JOIN names AS n ON n.name = d.reference AND (n.is_reference OR d.about <> 'order')
    LEFT JOIN nameless_receipts AS a
        ON d.document = 'receipt' AND a.document_id = d.document_id
        AND a.place_of_charge = 1 AND a.place_of_receipt = 1
    WHERE d.document IN ('refund', 'dispute', 'booking', 'receipt', 'file')
),
journals AS (
    SELECT COALESCE(d.method, '') AS method, 2 * COUNT(c.order_key) >= COUNT(*) AS by_gateway
    FROM money_documents AS d
    INNER JOIN resolved AS r ON r.document = d.document AND r.document_id = d.document_id
    LEFT JOIN (
        SELECT COALESCE(order_key, CONCAT('charge ', document_id)) AS order_key FROM charges WHERE counts GROUP BY 1
    ) AS c ON c.order_key = r.order_key
    WHERE d.document = 'booking' AND d.parent_document = 'invoice'
    GROUP BY COALESCE(d.method, '')
)
SELECT
    r.document,
    r.document_id,
    r.order_key,
    CASE
        WHEN NOT REGEXP_MATCHES(r.order_key, '^(charge|refund|dispute|invoice|credit_note|booking|receipt|file) ')
            THEN r.order_key
    END AS order_number,
    r.matched_by,
    CASE
        WHEN r.matched_by IN ('id', 'metadata', 'reference', 'subject', 'file_name') THEN CAST(1 AS DOUBLE)
        WHEN r.matched_by = 'amount' THEN 0.6
        WHEN r.matched_by = 'address' THEN 0.5
        WHEN r.matched_by = 'nothing' THEN 0
        ELSE 0.9
    END AS confidence,
    COUNT(*) OVER (PARTITION BY r.order_key) - 1 AS others,
    CASE WHEN r.document = 'booking' THEN COALESCE(j.by_gateway, FALSE) END AS by_gateway
FROM resolved AS r
INNER JOIN money_documents AS d ON d.document = r.document AND d.document_id = r.document_id
LEFT JOIN journals AS j ON j.method = COALESCE(d.method, '') AND r.document = 'booking'
