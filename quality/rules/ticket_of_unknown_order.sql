/* ---
title: Tickets are about orders that exist
description: >-
  A customer asks about an order that neither the payment provider nor the books have, not even as a declined attempt.
  The number is mistyped, the order was lost on its way, or it is an attempted fraud.
next_step: Ask the customer for the confirmation of the order, and correct the number in the ticket.
severity: warn
owner: support
key: [ticket]
sides:
  support: [ticket, subject, status, customer_email, assignee_email, opened_at]
  payments: [charges]
  crm_accounting: [invoices]
needs: [support, payments, crm_accounting]
tolerance: {settle: PT2H}
--- */
SELECT
    t.number AS ticket,
    CAST(t.order_number AS VARCHAR) AS order_number,
    t.customer_email,
    t.subject,
    t.status,
    t.assignee_email,
    t.opened_at,
    COALESCE(o.charges, 0) AS charges,
    COALESCE(o.invoices, 0) AS invoices
FROM support.tickets AS t
LEFT JOIN analytics.orders AS o ON o.order_key = LOWER(TRIM(CAST(t.order_number AS VARCHAR)))
WHERE t._deleted_at IS NULL
    AND t.order_number IS NOT NULL
    AND COALESCE(o.charges, 0) + COALESCE(o.declined, 0) + COALESCE(o.invoices, 0) = 0
    AND t.opened_at < $now - $settle
