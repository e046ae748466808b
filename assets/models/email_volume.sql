/* ---
description: How many messages each account sent and received on each day. A message in several mailboxes counts once.
grain: [account, day]
owners: [operations]
columns:
  account: Login of the account.
  day: Day, UTC, on which the server received the message.
  sent: Messages that the account sent.
  received: Messages that it received, automatic ones included.
  received_automatic: Of these, the ones that a program wrote for nobody to answer.
  bytes: Size of all of them.
checks:
  - unique: [account, day]
  - not_null: [account, day]
  - range: {sent: {min: 0}, received: {min: 0}, received_automatic: {min: 0}, bytes: {min: 0}}
--- */
SELECT
    account,
    CAST(happened_at AT TIME ZONE 'UTC' AS DATE) AS day,
    COUNT(*) FILTER (WHERE direction = 'out') AS sent,
    COUNT(*) FILTER (WHERE direction = 'in') AS received,
    COUNT(*) FILTER (WHERE direction = 'in' AND automatic) AS received_automatic,
    CAST(COALESCE(SUM(size), 0) AS BIGINT) AS bytes
FROM email_messages
WHERE happened_at IS NOT NULL
GROUP BY account, CAST(happened_at AT TIME ZONE 'UTC' AS DATE)
