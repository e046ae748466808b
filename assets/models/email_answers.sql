/* ---
description: >-
  A mail to an account that needs an answer, and the first answer: the next message of its thread, in any account,
  that a person of the company other than its author wrote. Automatic mails are neither mails to answer nor answers,
  and mails that the account gets only as a copy (cc, bcc) are left out. People of the company are the accounts, the
  addresses that they write from, and the users of SSO if it is loaded.
owners: [operations]
optional: [sso]
columns:
  account: Login of the account that received it.
  message_key: The mail, as in email_messages.
  thread_id: The thread, by References and In-Reply-To.
  from_email: Author of the mail.
  internal: Whether the author is of the company too.
  subject: Subject of the mail.
  received_at: When a server of the company first received it.
  answered_at: When the answer was sent; null if there is none, or if only the flag shows one.
  answered_by: Author of the answer; it may be a colleague.
  answer_key: The answer, as in email_messages.
  hours: Hours from received_at to answered_at.
  answered: Whether there is an answer, or the mail has the flag \Answered.
checks:
  - unique: [account, message_key]
  - not_null: [account, message_key, received_at, answered]
  - range: {hours: {min: 0}}
  - foreign_key: {message_key: email_messages.message_key}
--- */
WITH ours AS (
    SELECT from_email AS email FROM email_messages WHERE direction = 'out' AND from_email IS NOT NULL
    UNION
    SELECT LOWER(account) FROM email_messages
    UNION
    SELECT LOWER(email) FROM sso.users WHERE _deleted_at IS NULL AND email IS NOT NULL
),
once AS (
    -- One message may be in the mailboxes of several accounts.
    SELECT thread_id, message_key, MIN(from_email) AS author, MIN(happened_at) AS at
    FROM email_messages
    WHERE thread_id IS NOT NULL AND happened_at IS NOT NULL
    GROUP BY thread_id, message_key
    HAVING MAX(CASE WHEN automatic THEN 1 ELSE 0 END) = 0
),
timeline AS (
    SELECT
        m.thread_id,
        m.message_key,
        m.author,
        m.at,
        o.email IS NOT NULL AS is_ours,
        ROW_NUMBER() OVER (PARTITION BY m.thread_id ORDER BY m.at, m.message_key) AS place
    FROM once AS m
    LEFT JOIN ours AS o ON o.email = m.author
),
turns AS (
    -- Ours alone; a turn begins where the author isn't that of the message before.
    SELECT
        thread_id,
        place,
        author,
        CASE WHEN author = LAG(author) OVER (PARTITION BY thread_id ORDER BY place) THEN NULL ELSE place END AS begins
    FROM timeline
    WHERE is_ours
),
next_turns AS (
    SELECT
        thread_id,
        place,
        author,
        MIN(begins) OVER (
            PARTITION BY thread_id ORDER BY place DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS next_turn
    FROM turns
),
following AS (
    SELECT
        t.*,
        MIN(CASE WHEN is_ours THEN place END) OVER (
            PARTITION BY thread_id ORDER BY place DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS next_ours
    FROM timeline AS t
),
answers AS (
    SELECT
        f.thread_id,
        f.message_key,
        f.at,
        f.is_ours,
        CASE WHEN n.author = f.author THEN n.next_turn ELSE n.place END AS answer
    FROM following AS f
    LEFT JOIN next_turns AS n ON n.thread_id = f.thread_id AND n.place = f.next_ours
)
SELECT
    m.account,
    m.message_key,
    m.thread_id,
    m.from_email,
    a.is_ours AS internal,
    m.subject,
    a.at AS received_at,
    t.at AS answered_at,
    t.author AS answered_by,
    t.message_key AS answer_key,
    CAST((EXTRACT(EPOCH FROM t.at) - EXTRACT(EPOCH FROM a.at)) / 3600 AS DOUBLE) AS hours,
    t.at IS NOT NULL OR m.flagged_answered AS answered
FROM email_messages AS m
JOIN answers AS a ON a.thread_id = m.thread_id AND a.message_key = m.message_key
LEFT JOIN timeline AS t ON t.thread_id = a.thread_id AND t.place = a.answer
WHERE m.direction = 'in' AND NOT m.automatic AND COALESCE(m.addressed, 'to') = 'to'
