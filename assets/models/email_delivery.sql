/* ---
description: >-
  How many addresses each sender wrote to on each day, by the recipients' domain, and what came back as a delivery
  status notification (RFC 3464). A message to one address counts once, however many mailboxes hold it or reports are
  about it. A missing report doesn't prove delivery: most servers report only failures. A report about a message that
  no account has counts for the account and the day on which it arrived.
owners: [operations]
columns:
  sender: Address of the author; for unmatched reports the account that got them.
  day: Day, UTC, of sending.
  domain: The part after the @ of the recipient's address; empty if there is none.
  recipients: Addresses written to; one counts once per message.
  bounced: Of these, the ones that a report says delivery failed to.
  bounced_for_good: Of the bounced ones, those that trying again is of no use for (status 5.x.x).
  delayed: Addresses that only a delay was reported of.
  confirmed: Addresses that a report says delivery succeeded to.
  bounce_rate: bounced divided by recipients; null without any.
  unmatched_reports: Failures reported of messages that no account holds.
checks:
  - unique: [sender, day, domain]
  - not_null: [sender, day, domain]
  - range: {bounce_rate: {min: 0, max: 1}, recipients: {min: 0}, bounced: {min: 0}, unmatched_reports: {min: 0}}
--- */
WITH sent AS (
    -- Several accounts may hold a message as sent; the copies needn't all name the hidden addresses.
    SELECT message_key, MIN(COALESCE(from_email, LOWER(account))) AS sender, MIN(happened_at) AS at
    FROM email_messages
    WHERE direction = 'out' AND happened_at IS NOT NULL
    GROUP BY message_key
),
written_to AS (
    SELECT DISTINCT m.message_key, r.email
    FROM email_messages AS m
    JOIN email.recipients AS r
        ON r.account = m.account AND r.mailbox = m.mailbox AND r.uidvalidity = m.uidvalidity AND r.uid = m.uid
    WHERE m.direction = 'out'
        AND m.happened_at IS NOT NULL
        AND r._deleted_at IS NULL
        AND r.role IN ('to', 'cc', 'bcc')
        AND r.email IS NOT NULL
),
reported AS (
    -- The address as the sender wrote it, where the report gives it; else the last one on its way.
    SELECT
        b.original_message_id,
        COALESCE(o.email, f.email, b.original_recipient, b.recipient, '') AS email,
        b.action,
        COALESCE(b.permanent, FALSE) AS permanent,
        LOWER(b.account) AS account,
        COALESCE(m.received_at, b.arrived_at) AS at,
        s.message_key
    FROM email.bounces AS b
    LEFT JOIN email.messages AS m
        ON m.account = b.account
        AND m.mailbox = b.mailbox
        AND m.uidvalidity = b.uidvalidity
        AND m.uid = b.uid
        AND m._deleted_at IS NULL
    LEFT JOIN sent AS s ON s.message_key = b.original_message_id
    LEFT JOIN written_to AS o ON o.message_key = b.original_message_id AND o.email = b.original_recipient
    LEFT JOIN written_to AS f ON f.message_key = b.original_message_id AND f.email = b.recipient
    WHERE b._deleted_at IS NULL
),
fates AS (
    SELECT
        message_key,
        email,
        MAX(CASE WHEN action = 'failed' THEN 1 ELSE 0 END) AS failed,
        MAX(CASE WHEN action = 'failed' AND permanent THEN 1 ELSE 0 END) AS failed_for_good,
        MAX(CASE WHEN action = 'delayed' THEN 1 ELSE 0 END) AS delayed,
        MAX(CASE WHEN action IN ('delivered', 'relayed', 'expanded') THEN 1 ELSE 0 END) AS confirmed
    FROM reported
    WHERE message_key IS NOT NULL
    GROUP BY message_key, email
),
pairs AS (
    SELECT message_key, email FROM written_to
    UNION
    SELECT message_key, email FROM fates
),
counted AS (
    SELECT
        s.sender,
        CAST(s.at AT TIME ZONE 'UTC' AS DATE) AS day,
        p.email,
        1 AS recipients,
        COALESCE(f.failed, 0) AS failed,
        COALESCE(f.failed_for_good, 0) AS failed_for_good,
        CASE WHEN COALESCE(f.failed, 0) + COALESCE(f.confirmed, 0) = 0 THEN COALESCE(f.delayed, 0) ELSE 0 END
            AS delayed,
        CASE WHEN COALESCE(f.failed, 0) = 0 THEN COALESCE(f.confirmed, 0) ELSE 0 END AS confirmed,
        0 AS unmatched
    FROM pairs AS p
    JOIN sent AS s ON s.message_key = p.message_key
    LEFT JOIN fates AS f ON f.message_key = p.message_key AND f.email = p.email
    UNION ALL
    SELECT account, CAST(MIN(at) AT TIME ZONE 'UTC' AS DATE), email, 0, 0, 0, 0, 0, 1
    FROM reported
    WHERE message_key IS NULL AND action = 'failed' AND at IS NOT NULL
    GROUP BY account, original_message_id, email
)
SELECT
    sender,
    day,
    CASE WHEN email LIKE '%@%' THEN REGEXP_REPLACE(email, '^.*@', '') ELSE '' END AS domain,
    CAST(SUM(recipients) AS BIGINT) AS recipients,
    CAST(SUM(failed) AS BIGINT) AS bounced,
    CAST(SUM(failed_for_good) AS BIGINT) AS bounced_for_good,
    CAST(SUM(delayed) AS BIGINT) AS delayed,
    CAST(SUM(confirmed) AS BIGINT) AS confirmed,
    CAST(SUM(failed) AS DOUBLE) / CAST(NULLIF(SUM(recipients), 0) AS DOUBLE) AS bounce_rate,
    CAST(SUM(unmatched) AS BIGINT) AS unmatched_reports
FROM counted
GROUP BY sender, day, CASE WHEN email LIKE '%@%' THEN REGEXP_REPLACE(email, '^.*@', '') ELSE '' END
