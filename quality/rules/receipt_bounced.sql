/* ---
title: Receipts arrive
description: >-
  The receipt of an order bounced, and no other one was sent since. The address is wrong or the mailbox is full, so
  its owner gets no invoices and reminders either.
next_step: >-
  Ask the customer for another address, correct it in the CRM and at the payment provider, and send the receipt again.
severity: warn
owner: sales
key: [message_id]
sides:
  email: [message_id, recipient, sent_at, diagnostic, bounced_at]
  payments: [charged_amount, currency]
needs: [email]
--- */
SELECT
    d.document_id AS message_id,
    l.order_number,
    d.address AS recipient,
    d.happened_at AS sent_at,
    b.diagnostic,
    b.arrived_at AS bounced_at,
    o.charged_amount,
    o.currency
FROM analytics.money_documents AS d
INNER JOIN analytics.money_links AS l ON l.document = d.document AND l.document_id = d.document_id
INNER JOIN analytics.orders AS o ON o.order_key = l.order_key
LEFT JOIN (
    SELECT original_message_id, MIN(diagnostic) AS diagnostic, MIN(arrived_at) AS arrived_at
    FROM email.bounces
    WHERE _deleted_at IS NULL AND action = 'failed'
    GROUP BY original_message_id
) AS b ON b.original_message_id = d.document_id
WHERE d.document = 'receipt'
    AND d.status = 'bounced'
    AND (o.last_receipt_at IS NULL OR o.last_receipt_at < d.happened_at)
