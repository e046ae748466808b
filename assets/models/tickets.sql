/* ---
description: >-
  A ticket of the support desk: what a customer asked, who answers, how long the first answer took, and whose turn it
  is. Deleted tickets are left out.
owners: [support]
optional: [sso]
columns:
  number: Number of the ticket.
  subject: What is asked.
  is_open: Whether it still has to be answered or closed.
  customer_email: Who asked, lower case.
  order_key: The order that it is about, as in orders; null for none.
  assignee_email: Who answers, lower case; null for nobody.
  assignee_id: The account of single sign-on with that address; null when there is none.
  assignee_active: Whether that account is active; null when there is none.
  opened_at: When it was asked.
  closed_at: When it was settled; null while it is open.
  hours_open: Hours from opened_at to closed_at; while it is open, to the last load of the support desk.
  messages: Messages in it.
  first_answer_at: When the support first wrote something in it; null when it hasn't.
  hours_to_answer: Hours from opened_at to first_answer_at.
  last_message_at: When the last message was written; null without any.
  waits_for: >-
    Whose turn it is in an open ticket - support when the customer wrote last or nobody has written, else customer;
    null for a closed one.
checks:
  - unique: [number]
  - not_null: [number, is_open]
  - accepted_values: {waits_for: [support, customer]}
  - range: {hours_open: {min: 0}, hours_to_answer: {min: 0}, messages: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'support'
),
written AS (
    SELECT
        ticket_number,
        from_customer,
        written_at,
        ROW_NUMBER() OVER (PARTITION BY ticket_number ORDER BY written_at DESC NULLS LAST, id DESC) AS place
    FROM support.messages
    WHERE _deleted_at IS NULL
),
talks AS (
    SELECT
        ticket_number,
        COUNT(*) AS messages,
        MIN(written_at) FILTER (WHERE from_customer = 0) AS first_answer_at,
        MAX(written_at) AS last_message_at,
        MAX(CASE WHEN place = 1 THEN from_customer END) AS last_from_customer
    FROM written
    GROUP BY ticket_number
),
users AS (
    -- One account per address; of several, an active one.
    SELECT LOWER(TRIM(email)) AS email, id, COALESCE(active, TRUE) AS active,
        ROW_NUMBER() OVER (
            PARTITION BY LOWER(TRIM(email)) ORDER BY CASE WHEN COALESCE(active, TRUE) THEN 0 ELSE 1 END, id
        ) AS place
    FROM sso.users
    WHERE _deleted_at IS NULL AND email IS NOT NULL
),
tickets AS (
    SELECT
        number,
        subject,
        closed_at IS NULL AND LOWER(COALESCE(status, 'open')) <> 'closed' AS is_open,
        LOWER(TRIM(customer_email)) AS customer_email,
        LOWER(TRIM(CAST(order_number AS VARCHAR))) AS order_key,
        LOWER(TRIM(assignee_email)) AS assignee_email,
        opened_at,
        closed_at
    FROM support.tickets
    WHERE _deleted_at IS NULL
)
SELECT
    t.number,
    t.subject,
    t.is_open,
    t.customer_email,
    t.order_key,
    t.assignee_email,
    u.id AS assignee_id,
    u.active AS assignee_active,
    t.opened_at,
    t.closed_at,
    CAST(
        (EXTRACT(EPOCH FROM CASE WHEN t.is_open THEN l.at ELSE t.closed_at END) - EXTRACT(EPOCH FROM t.opened_at)) / 3600
        AS DOUBLE
    ) AS hours_open,
    COALESCE(w.messages, 0) AS messages,
    w.first_answer_at,
    CAST((EXTRACT(EPOCH FROM w.first_answer_at) - EXTRACT(EPOCH FROM t.opened_at)) / 3600 AS DOUBLE) AS hours_to_answer,
    w.last_message_at,
    CASE
        WHEN NOT t.is_open THEN NULL
        WHEN COALESCE(w.last_from_customer, 1) = 0 THEN 'customer'
        ELSE 'support'
    END AS waits_for
FROM tickets AS t
CROSS JOIN loaded AS l
LEFT JOIN talks AS w ON w.ticket_number = t.number
LEFT JOIN users AS u ON u.email = t.assignee_email AND u.place = 1
