/* ---
description: >-
  Who exchanges mail with each account, and how much. Automatic mails and mails to oneself are left out. A message in
  several mailboxes counts once, and one to several people counts once for each.
grain: [account]
owners: [operations]
columns:
  account: Login of the account.
  email: Address of the other side, lower case.
  name: Name shown for it; the last one in alphabetical order when there are several.
  received: Messages that came from it.
  sent: Messages that the account wrote to it, copies (cc, bcc) included.
  first_at: When the first of them happened.
  last_at: When the last of them happened.
  place: 1 for whom the account exchanges most messages with; equal numbers in alphabetical order.
checks:
  - unique: [account, email]
  - not_null: [account, email]
  - range: {place: {min: 1}, received: {min: 0}, sent: {min: 0}}
--- */
WITH exchanged AS (
    SELECT account, from_email AS email, from_name AS name, happened_at, 1 AS received, 0 AS sent
    FROM email_messages
    WHERE direction = 'in' AND NOT automatic AND from_email IS NOT NULL
    UNION ALL
    SELECT m.account, r.email, MAX(r.name), m.happened_at, 0, 1
    FROM email_messages AS m
    JOIN email.recipients AS r
        ON r.account = m.account AND r.mailbox = m.mailbox AND r.uidvalidity = m.uidvalidity AND r.uid = m.uid
    WHERE m.direction = 'out'
        AND NOT m.automatic
        AND r._deleted_at IS NULL
        AND r.role IN ('to', 'cc', 'bcc')
        AND r.email IS NOT NULL
        AND r.email <> LOWER(m.account)
        AND r.email <> COALESCE(m.from_email, '')
    GROUP BY m.account, m.message_key, m.happened_at, r.email
),
counted AS (
    SELECT
        account,
        email,
        MAX(name) AS name,
        CAST(SUM(received) AS BIGINT) AS received,
        CAST(SUM(sent) AS BIGINT) AS sent,
        MIN(happened_at) AS first_at,
        MAX(happened_at) AS last_at
    FROM exchanged
    GROUP BY account, email
)
SELECT
    account,
    email,
    name,
    received,
    sent,
    first_at,
    last_at,
    ROW_NUMBER() OVER (PARTITION BY account ORDER BY received + sent DESC, email) AS place
FROM counted
