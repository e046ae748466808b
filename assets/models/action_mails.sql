/* ---
description: >-
  Each message that an action sent: whether it was stored, arrived, came back or was answered. leat sends a message
  under the Message-ID `<id of the action@domain>`, which finds its copies, delivery reports and answers in the
  mailboxes that leat reads. A missing report doesn't prove delivery: most servers report only failures. An answer is a
  message that a person wrote in reply to it (In-Reply-To); an answer in a mailbox that leat doesn't read isn't seen.
owners: [operations]
columns:
  action_id: The action.
  integration: The integration that sent it.
  verb: What the action does.
  automation: The automation that planned it; empty for a person.
  state: State of the action.
  sent_at: When the action was sent first.
  message_id: Message-ID, without angle brackets; null when nobody knows yet whether it was sent.
  stored: Whether a mailbox for sent mail, or another one of its author, has it.
  recipients: Addresses written to (to, cc, bcc) that its copies name.
  arrived: Accounts of the company in whose mailboxes it arrived.
  bounced: Addresses that a report says delivery failed to.
  bounced_for_good: Of these, the ones that trying again is of no use for (status 5.x.x).
  delayed: Addresses that only a delay was reported of.
  delivered: Addresses that a report says delivery succeeded to.
  answers: Answers, each counted once however many mailboxes hold it.
  answered_at: When the first answer arrived; null without one.
  hours_to_answer: Hours from sent_at to answered_at; null without an answer.
checks:
  - unique: [action_id]
  - not_null: [action_id, verb, stored, bounced, answers]
  - range: {recipients: {min: 0}, bounced: {min: 0}, hours_to_answer: {min: 0}}
--- */
WITH copies AS (
    SELECT
        LOWER(SPLIT_PART(message_key, '@', 1)) AS action_id,
        message_key,
        account,
        mailbox,
        uidvalidity,
        uid,
        direction
    FROM email_messages
    WHERE message_id IS NOT NULL
),
reports AS (
    SELECT
        LOWER(SPLIT_PART(original_message_id, '@', 1)) AS action_id,
        original_message_id AS message_key,
        COALESCE(original_recipient, recipient, '') AS email,
        MAX(CASE WHEN action = 'failed' THEN 1 ELSE 0 END) AS failed,
        MAX(CASE WHEN action = 'failed' AND permanent THEN 1 ELSE 0 END) AS failed_for_good,
        MAX(CASE WHEN action = 'delayed' THEN 1 ELSE 0 END) AS delayed,
        MAX(CASE WHEN action IN ('delivered', 'relayed', 'expanded') THEN 1 ELSE 0 END) AS delivered
    FROM email.bounces
    WHERE _deleted_at IS NULL AND original_message_id IS NOT NULL
    GROUP BY original_message_id, COALESCE(original_recipient, recipient, '')
),
sent AS (
    -- What left: by its receipt, by the integration of the mailboxes, or because its id is that of a message.
    SELECT
        id,
        integration,
        verb,
        COALESCE(automation, '') AS automation,
        state,
        sent_at,
        CAST(receipt AS JSON) ->> '$.message_id' AS message_id
    FROM platform.actions
    WHERE _deleted_at IS NULL
        AND sent_at IS NOT NULL
        AND (
            CAST(receipt AS JSON) ->> '$.message_id' IS NOT NULL
            OR (integration = 'email' AND state IN ('unknown', 'asking'))
            OR id IN (SELECT action_id FROM copies)
            OR id IN (SELECT action_id FROM reports)
        )
),
seen AS (
    SELECT
        action_id,
        MIN(message_key) AS message_key,
        COUNT(CASE WHEN direction = 'out' THEN 1 END) AS stored,
        COUNT(DISTINCT CASE WHEN direction = 'in' THEN account END) AS arrived
    FROM copies
    GROUP BY action_id
),
written_to AS (
    SELECT c.action_id, COUNT(DISTINCT r.email) AS recipients
    FROM copies AS c
    JOIN email.recipients AS r
        ON r.account = c.account AND r.mailbox = c.mailbox AND r.uidvalidity = c.uidvalidity AND r.uid = c.uid
    WHERE r._deleted_at IS NULL AND r.role IN ('to', 'cc', 'bcc') AND r.email IS NOT NULL
    GROUP BY c.action_id
),
reported AS (
    SELECT
        action_id,
        MIN(message_key) AS message_key,
        SUM(failed) AS bounced,
        SUM(failed_for_good) AS bounced_for_good,
        SUM(CASE WHEN failed + delivered = 0 THEN delayed ELSE 0 END) AS delayed,
        SUM(CASE WHEN failed = 0 THEN delivered ELSE 0 END) AS delivered
    FROM reports
    GROUP BY action_id
),
answered AS (
    SELECT
        LOWER(SPLIT_PART(in_reply_to, '@', 1)) AS action_id,
        COUNT(DISTINCT message_key) AS answers,
        MIN(happened_at) AS at
    FROM email_messages
    WHERE in_reply_to IS NOT NULL AND NOT automatic
    GROUP BY LOWER(SPLIT_PART(in_reply_to, '@', 1))
)
SELECT
    s.id AS action_id,
    s.integration,
    s.verb,
    s.automation,
    s.state,
    s.sent_at,
    COALESCE(c.message_key, r.message_key, s.message_id) AS message_id,
    COALESCE(c.stored, 0) > 0 AS stored,
    COALESCE(w.recipients, 0) AS recipients,
    COALESCE(c.arrived, 0) AS arrived,
    CAST(COALESCE(r.bounced, 0) AS BIGINT) AS bounced,
    CAST(COALESCE(r.bounced_for_good, 0) AS BIGINT) AS bounced_for_good,
    CAST(COALESCE(r.delayed, 0) AS BIGINT) AS delayed,
    CAST(COALESCE(r.delivered, 0) AS BIGINT) AS delivered,
    COALESCE(a.answers, 0) AS answers,
    a.at AS answered_at,
    CASE
        WHEN a.at < s.sent_at THEN 0
        ELSE CAST((EXTRACT(EPOCH FROM a.at) - EXTRACT(EPOCH FROM s.sent_at)) / 3600 AS DOUBLE)
    END AS hours_to_answer
FROM sent AS s
LEFT JOIN seen AS c ON c.action_id = s.id
LEFT JOIN written_to AS w ON w.action_id = s.id
LEFT JOIN reported AS r ON r.action_id = s.id
LEFT JOIN answered AS a ON a.action_id = s.id
