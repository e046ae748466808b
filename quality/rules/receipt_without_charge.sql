/* ---
title: Every receipt is of a charge
description: >-
  A receipt names an order of which neither the payment provider nor the books know anything. It may be a forged one
  that was sent from our mailbox, one of a test, or the charge is in an account that isn't loaded.
next_step: Read the mail and ask who sent it; if nobody did, look who used the mailbox.
severity: warn
owner: finance
key: [message_id]
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
