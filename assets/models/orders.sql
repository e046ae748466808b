/* ---
description: >-
  One row for each order, with what was charged, refunded, invoiced, booked, credited and paid out for it, and what is
  missing. Amounts are in the currency of the charge, or without a charge in that of the invoice. Documents of the
  order in another currency aren't added up, but counted in other_currencies. Declined attempts and cancelled invoices
  are counted separately.
owners: [finance]
columns:
  order_key: The order; money_links.order_key.
  order_number: Its number in small letters; null where nobody names one.
  currency: Currency of the amounts, ISO 4217; null of an order without amounts.
  address: Mail address of who paid; of who got the receipt where nobody did.
  company_id: Company that was invoiced; crm_accounting.companies.company_id.
  charges: Charges that succeeded.
  declined: Charges that didn't, or weren't captured.
  charged_amount: What was charged, in minor units.
  charged_at: Time of the first charge that succeeded.
  last_charged_at: Time of the last one.
  last_charge_id: The last one; payments.charges.id.
  refunds: Refunds that weren't stopped.
  refunded_amount: What was given back, in minor units.
  last_refunded_at: Time of the last refund.
  disputed_amount: What a bank questions or has taken back, in minor units; disputes that were won are left out.
  invoices: Invoices, drafts too.
  invoice_id: The first of them; crm_accounting.invoices.invoice_id.
  invoice_number: Its number.
  invoice_status: Its status.
  invoiced_amount: What was invoiced, in minor units.
  invoiced_on: Date of the first invoice.
  settled_amount: What of the invoices isn't open any more, in minor units; nothing of a draft.
  booked_amount: What the books have as paid on them by the journals of the payment provider, in minor units.
  booked_otherwise_amount: What they have as paid by transfer, cash and so on, in minor units.
  booked_on: Day of the first booking of a payment.
  entry_id: Journal entry of that booking; crm_accounting.journal_entries.entry_id.
  credit_notes: Credit notes that are posted.
  credited_amount: What they give back, in minor units.
  receipts: Receipts that were sent.
  receipts_bounced: Receipts that came back.
  last_receipt_at: Time of the last receipt that didn't.
  files: Invoices in the storage.
  file: The first of them, bucket/key.
  payouts: Payouts that brought it to the bank.
  payout_id: The last of them; payments.payouts.id.
  other_currencies: Charges, invoices and bookings in another currency.
  agreement: >-
    How charge and invoice compare, both no_charge, no_invoice, or neither of the two; equal (also less what was given
    back and credited); partly (the rest is open or was paid otherwise); exponent (wrong by ten, a hundred or a
    thousand); currency (in another one); differs.
  lacks: What it has not, of charge, invoice, booking, receipt and file, separated by commas; null for nothing.
  confidence: That of the weakest link; money_links.confidence.
checks:
  - unique: [order_key]
  - not_null: [order_key, agreement, confidence]
  - accepted_values: {agreement: [no_charge, no_invoice, neither, equal, partly, exponent, currency, differs]}
  - range: {confidence: {min: 0, max: 1}, charged_amount: {min: 0}, refunded_amount: {min: 0}}
--- */
WITH linked AS (
    SELECT
        l.order_key,
        l.order_number,
        l.confidence,
        l.by_gateway,
        d.*,
        d.document = 'charge' AND d.counts AS is_charge,
        d.document = 'invoice' AND d.counts AS is_invoice,
        d.document = 'booking' AND d.parent_document = 'invoice' AS is_booking
    FROM money_links AS l
    INNER JOIN money_documents AS d ON d.document = l.document AND d.document_id = l.document_id
),
currencies AS (
    SELECT
        order_key,
        COALESCE(
            MIN(CASE WHEN is_charge THEN currency END), MIN(CASE WHEN is_invoice THEN currency END), MIN(currency)
        ) AS currency
    FROM linked
    GROUP BY order_key
),
placed AS (
    SELECT
        l.*,
        c.currency AS order_currency,
        COALESCE(l.currency = c.currency, FALSE) AS same_currency,
        ROW_NUMBER() OVER (
            PARTITION BY l.order_key, l.is_charge ORDER BY l.happened_at DESC NULLS LAST, l.document_id DESC
        ) AS from_last_charge,
        ROW_NUMBER() OVER (
            PARTITION BY l.order_key, l.is_invoice ORDER BY l.happened_on NULLS LAST, l.document_id
        ) AS from_first_invoice,
        ROW_NUMBER() OVER (
            PARTITION BY l.order_key, l.is_booking ORDER BY l.happened_on NULLS LAST, l.document_id
        ) AS from_first_booking
    FROM linked AS l
    INNER JOIN currencies AS c ON c.order_key = l.order_key
),
added AS (
    SELECT
        order_key,
        MIN(order_number) AS order_number,
        MIN(order_currency) AS currency,
        COALESCE(
            MIN(CASE WHEN is_charge THEN address END),
            MIN(CASE WHEN document = 'charge' THEN address END),
            MIN(address)
        ) AS address,
        MIN(CASE WHEN is_invoice THEN company_id END) AS company_id,
        COUNT(CASE WHEN is_charge THEN 1 END) AS charges,
        COUNT(CASE WHEN document = 'charge' AND NOT counts THEN 1 END) AS declined,
        SUM(CASE WHEN is_charge AND same_currency THEN amount ELSE 0 END) AS charged,
        MIN(CASE WHEN is_charge THEN happened_at END) AS charged_at,
        MAX(CASE WHEN is_charge THEN happened_at END) AS last_charged_at,
        MAX(CASE WHEN is_charge AND from_last_charge = 1 THEN document_id END) AS last_charge_id,
        COUNT(CASE WHEN document = 'refund' AND counts THEN 1 END) AS refunds,
        SUM(CASE WHEN document = 'refund' AND counts AND same_currency THEN amount ELSE 0 END) AS refunded,
        MAX(CASE WHEN document = 'refund' AND counts THEN happened_at END) AS last_refunded_at,
        SUM(CASE WHEN document = 'dispute' AND counts AND same_currency THEN amount ELSE 0 END) AS disputed,
        COUNT(CASE WHEN is_invoice THEN 1 END) AS invoices,
        MAX(CASE WHEN is_invoice AND from_first_invoice = 1 THEN document_id END) AS invoice_id,
        MAX(CASE WHEN is_invoice AND from_first_invoice = 1 THEN number END) AS invoice_number,
        MAX(CASE WHEN is_invoice AND from_first_invoice = 1 THEN status END) AS invoice_status,
        SUM(CASE WHEN is_invoice AND same_currency THEN amount ELSE 0 END) AS invoiced,
        SUM(CASE WHEN is_invoice AND same_currency THEN open_amount ELSE 0 END) AS open_amount,
        MIN(CASE WHEN is_invoice THEN happened_on END) AS invoiced_on,
        SUM(CASE WHEN is_booking AND same_currency AND by_gateway THEN amount ELSE 0 END) AS booked,
        SUM(CASE WHEN is_booking AND same_currency AND NOT by_gateway THEN amount ELSE 0 END) AS booked_otherwise,
        COUNT(CASE WHEN is_booking THEN 1 END) AS bookings,
        MIN(CASE WHEN is_booking THEN happened_on END) AS booked_on,
        MAX(CASE WHEN is_booking AND from_first_booking = 1 THEN entry_id END) AS entry_id,
        COUNT(CASE WHEN document = 'credit_note' AND counts THEN 1 END) AS credit_notes,
        SUM(CASE WHEN document = 'credit_note' AND counts AND same_currency THEN amount ELSE 0 END) AS credited,
        COUNT(CASE WHEN document = 'receipt' THEN 1 END) AS receipts,
        COUNT(CASE WHEN document = 'receipt' AND status = 'bounced' THEN 1 END) AS receipts_bounced,
        MAX(CASE WHEN document = 'receipt' AND status <> 'bounced' THEN happened_at END) AS last_receipt_at,
        COUNT(CASE WHEN document = 'file' THEN 1 END) AS files,
        MIN(CASE WHEN document = 'file' THEN document_id END) AS file,
        COUNT(DISTINCT payout_id) AS payouts,
        MAX(payout_id) AS payout_id,
        COUNT(CASE WHEN (is_charge OR is_invoice OR is_booking) AND NOT same_currency THEN 1 END) AS other_currencies,
        COUNT(CASE WHEN is_invoice AND same_currency THEN 1 END) AS comparable,
        MIN(confidence) AS confidence
    FROM placed
    GROUP BY order_key
)
SELECT
    order_key,
    order_number,
    currency,
    address,
    company_id,
    charges,
    declined,
    CAST(charged AS BIGINT) AS charged_amount,
    charged_at,
    last_charged_at,
    last_charge_id,
    refunds,
    CAST(refunded AS BIGINT) AS refunded_amount,
    last_refunded_at,
    CAST(disputed AS BIGINT) AS disputed_amount,
    invoices,
    invoice_id,
    invoice_number,
    invoice_status,
    CAST(invoiced AS BIGINT) AS invoiced_amount,
    invoiced_on,
    CAST(invoiced - open_amount AS BIGINT) AS settled_amount,
    CAST(booked AS BIGINT) AS booked_amount,
    CAST(booked_otherwise AS BIGINT) AS booked_otherwise_amount,
    booked_on,
    entry_id,
    credit_notes,
    CAST(credited AS BIGINT) AS credited_amount,
    receipts,
    receipts_bounced,
    last_receipt_at,
    files,
    file,
    payouts,
    payout_id,
    other_currencies,
    CASE
        WHEN charges = 0 AND invoices = 0 THEN 'neither'
        WHEN charges = 0 THEN 'no_charge'
        WHEN invoices = 0 THEN 'no_invoice'
        WHEN comparable = 0 OR other_currencies > 0 THEN 'currency'
        WHEN charged = invoiced OR charged - refunded = invoiced - credited THEN 'equal'
        WHEN charged < invoiced AND invoiced - charged <= open_amount + booked_otherwise THEN 'partly'
        WHEN charged IN (10 * invoiced, 100 * invoiced, 1000 * invoiced) AND invoiced > 0 THEN 'exponent'
        WHEN invoiced IN (10 * charged, 100 * charged, 1000 * charged) AND charged > 0 THEN 'exponent'
        ELSE 'differs'
    END AS agreement,
    NULLIF(
        CONCAT_WS(
            ', ',
            CASE WHEN charges = 0 THEN 'charge' END,
            CASE WHEN invoices = 0 THEN 'invoice' END,
            CASE WHEN bookings = 0 THEN 'booking' END,
            CASE WHEN receipts = 0 THEN 'receipt' END,
            CASE WHEN files = 0 THEN 'file' END
        ),
        ''
    ) AS lacks,
    confidence
FROM added
