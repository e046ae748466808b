/* ---
title: Every receipt has a charge
description: >-
  A receipt names an order that neither the payment provider nor the books have. It may be a forgery sent from the
  company's mailbox, it may come from a test, or the charge may be in an account that isn't loaded.
next_step: Read the mail and ask who sent it. If nobody did, check who used the mailbox.
severity: warn
owner: finance
key: [message_id]
sides:
  email: [message_id, recipient, sent_at]
  payments: [charges, declined_charges]
  crm_accounting: [invoices]
needs: [payments, email, crm_accounting]
tolerance: {settle: PT2H}
--- */
SELECT
    d.document_id AS message_id,
    l.order_number,
    d.address AS recipient,
    d.happened_at AS sent_at,
    o.charges,
    o.declined AS declined_charges,
    o.invoices
FROM analytics.money_documents AS d
INNER JOIN analytics.money_links AS l ON l.document = d.document AND l.document_id = d.document_id
INNER JOIN analytics.orders AS o ON o.order_key = l.order_key
WHERE d.document = 'receipt'
    AND l.order_number IS NOT NULL
    AND o.charges = 0
    AND o.invoices = 0
    AND d.happened_at < $now - $settle
