/* ---
description: >-
  Threads in which somebody waits for an answer, by the account that has to give it: since the mails counted here,
  nobody of the company except their author has written. The model email_answers defines which mails need an answer.
owners: [operations]
columns:
  account: Login of the account that has to answer.
  thread_id: The thread.
  subject: Subject of the newest mail that waits.
  from_email: Author of the newest mail that waits.
  internal: Whether that author is of the company.
  mails: Mails that wait.
  waiting_since: When the first of them was received.
  last_at: When the newest of them was received.
  waiting_days: >-
    Whole days from waiting_since to the last time that anything of email was loaded; not to the present moment, so
    that equal data gives equal rows.
checks:
  - unique: [account, thread_id]
  - not_null: [account, thread_id, waiting_since]
  - range: {mails: {min: 1}, waiting_days: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'email'
),
waiting AS (
    SELECT
        account,
        thread_id,
        subject,
        from_email,
        internal,
        received_at,
        MIN(received_at) OVER (PARTITION BY account, thread_id) AS waiting_since,
        COUNT(*) OVER (PARTITION BY account, thread_id) AS mails,
        ROW_NUMBER() OVER (PARTITION BY account, thread_id ORDER BY received_at DESC, message_key DESC) AS place
    FROM email_answers
    WHERE NOT answered
)
SELECT
    w.account,
    w.thread_id,
    w.subject,
    w.from_email,
    w.internal,
    w.mails,
    w.waiting_since,
    w.received_at AS last_at,
    CAST(
        GREATEST(FLOOR((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM w.waiting_since)) / 86400), 0) AS BIGINT
    ) AS waiting_days
FROM waiting AS w
CROSS JOIN loaded AS l
WHERE w.place = 1
