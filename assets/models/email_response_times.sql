/* ---
description: >-
  How long people who write to an account wait for the first answer, whoever of the company gives it. Mails without an
  answer are counted, but have no time.
owners: [operations]
columns:
  account: Login of the account that received the mails.
  senders: internal for mails from people of the company, external for others.
  received: Mails that somebody is waiting for an answer to.
  answered: Of these, answered ones.
  answered_by_others: Of these, the ones that an address other than the account's answered.
  answered_share: answered divided by received.
  median_hours: Half of the answers came within so many hours; null without any.
  p90_hours: Nine of ten answers came within so many hours.
  p99_hours: Of a hundred answers, 99 came within so many hours.
  longest_hours: The slowest answer.
checks:
  - unique: [account, senders]
  - not_null: [account, senders]
  - accepted_values: {senders: [internal, external]}
  - range: {answered_share: {min: 0, max: 1}, median_hours: {min: 0}}
--- */
SELECT
    account,
    CASE WHEN internal THEN 'internal' ELSE 'external' END AS senders,
    COUNT(*) AS received,
    COUNT(*) FILTER (WHERE answered) AS answered,
    COUNT(*) FILTER (WHERE answered_by <> LOWER(account)) AS answered_by_others,
    CAST(COUNT(*) FILTER (WHERE answered) AS DOUBLE) / CAST(COUNT(*) AS DOUBLE) AS answered_share,
    QUANTILE_CONT(hours, 0.5) AS median_hours,
    QUANTILE_CONT(hours, 0.9) AS p90_hours,
    QUANTILE_CONT(hours, 0.99) AS p99_hours,
    MAX(hours) AS longest_hours
FROM email_answers
GROUP BY account, CASE WHEN internal THEN 'internal' ELSE 'external' END
