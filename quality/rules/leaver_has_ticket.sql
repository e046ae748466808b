/* ---
title: Nobody who left has an open ticket
description: >-
  An open ticket is assigned to somebody whose account was deactivated or deleted, so nobody answers the customer. The
  tolerance is the time allowed to hand tickets over.
next_step: Assign the ticket to somebody else at the support desk.
severity: warn
owner: support
key: [number]
sides:
  sso: [assignee_name, email, left_at]
  support: [number, subject, status, customer_email, opened_at, updated_at, assignee_email]
needs: [sso]
tolerance: {settle: P1D}
--- */
SELECT
    t.number,
    t.subject,
    t.status,
    t.customer_email,
    t.opened_at,
    t.updated_at,
    t.assignee_email,
    p.name AS assignee_name,
    p.email,
    p.left_at
FROM support.tickets AS t
JOIN identities AS i
    ON i.system = 'support' AND i.kind = 'ticket assignee' AND i.identity = LOWER(TRIM(t.assignee_email))
JOIN people AS p ON p.person_id = i.person_id
WHERE t._deleted_at IS NULL
    AND t.closed_at IS NULL
    AND LOWER(COALESCE(t.status, 'open')) <> 'closed'
    AND p.left_at < $now - $settle
