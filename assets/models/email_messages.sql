/* ---
description: >-
  A message in an account, once, however many of its mailboxes hold it. Drafts, junk mail and unfinished copies are
  left out, and so is sent mail without a stored copy.
grain: [account]
owners: [operations]
columns:
  account: Login of the account.
  message_key: The Message-ID; of a message without one, its account and place on the server.
  message_id: Message-ID; null when the message has none.
  thread_id: The thread, by References and In-Reply-To.
  direction: >-
    out when the account's own address wrote it or a mailbox for sent mail holds it, else in. Where the server doesn't
    say what a mailbox is for, its English name decides.
  from_email: Address of the author, lower case.
  from_name: Name of the author.
  subject: Subject.
  happened_at: When the server first received it, which for sent mail is when it was put into its mailbox.
  written_at: When it was written, as its author's program says; null when unreadable.
  written_zone: Zone of that time as written, for example +0200.
  in_reply_to: Message-ID of the message that it answers.
  automatic: >-
    Whether a program wrote it for nobody to answer: notices, automatic answers, lists, newsletters, delivery reports,
    and what comes from a no-reply address.
  report: Whether it is a delivery status notification (RFC 3464).
  addressed: How the account's own address is named, to, cc or bcc; null when it isn't, as with an alias.
  flagged_answered: Whether a copy has the flag \Answered.
  size: Size in bytes.
  copies: How many of the account's mailboxes hold it.
  mailbox: Mailbox of the copy that the fields come from, one for sent mail before others.
  uidvalidity: UIDVALIDITY of that mailbox.
  uid: UID of that copy.
checks:
  - unique: [account, message_key]
  - not_null: [account, message_key, direction, happened_at]
  - accepted_values: {direction: [in, out], addressed: [to, cc, bcc]}
--- */
WITH folders AS (
    SELECT
        account,
        mailbox,
        CASE
            WHEN role IS NOT NULL THEN role
            WHEN REGEXP_REPLACE(LOWER(mailbox), '^.*[./]', '') IN ('sent', 'sent items', 'sent mail', 'sent messages')
                THEN 'sent'
            WHEN REGEXP_REPLACE(LOWER(mailbox), '^.*[./]', '') IN ('drafts', 'draft') THEN 'drafts'
            WHEN REGEXP_REPLACE(LOWER(mailbox), '^.*[./]', '') IN ('junk', 'spam', 'junk e-mail', 'junk email')
                THEN 'junk'
        END AS role
    FROM email.mailboxes
    WHERE _deleted_at IS NULL
),
automatic AS (
    -- RFC 3834, section 2: what says so itself, and what is sent with an empty return path.
    SELECT DISTINCT account, mailbox, uidvalidity, uid
    FROM email.headers
    WHERE _deleted_at IS NULL
        AND (
            (field = 'precedence' AND LOWER(TRIM(value)) IN ('bulk', 'junk', 'list', 'auto_reply'))
            OR (field = 'return-path' AND TRIM(value) = '<>')
        )
),
reports AS (
    SELECT DISTINCT account, mailbox, uidvalidity, uid FROM email.bounces WHERE _deleted_at IS NULL
),
named AS (
    SELECT
        account,
        mailbox,
        uidvalidity,
        uid,
        MIN(CASE role WHEN 'to' THEN 1 WHEN 'cc' THEN 2 ELSE 3 END) AS place
    FROM email.recipients
    WHERE _deleted_at IS NULL AND role IN ('to', 'cc', 'bcc') AND email = LOWER(account)
    GROUP BY account, mailbox, uidvalidity, uid
),
copies AS (
    SELECT
        m.account,
        COALESCE(
            m.message_id,
            m.account || '/' || m.mailbox || '/' || CAST(m.uidvalidity AS VARCHAR) || '/' || CAST(m.uid AS VARCHAR)
        ) AS message_key,
        m.message_id,
        m.thread_id,
        m.from_email,
        m.from_name,
        m.sender_email,
        m.subject,
        COALESCE(m.received_at, m.date) AS received_at,
        m.date,
        m.date_zone,
        m.in_reply_to,
        COALESCE(m.auto_submitted, 'no') <> 'no'
            OR m.list_id IS NOT NULL
            OR m.list_unsubscribe IS NOT NULL
            OR a.uid IS NOT NULL
            OR r.uid IS NOT NULL
            OR COALESCE(
                REGEXP_MATCHES(
                    m.from_email, '^(mailer-daemon|postmaster|(no|donot|do-not|do_not)[-_.]?reply)[^@]*@'
                ),
                FALSE
            ) AS automatic,
        r.uid IS NOT NULL AS report,
        n.place AS named,
        COALESCE(g.answered, FALSE) AS answered,
        m.size,
        COALESCE(f.role, '') = 'sent' AS in_sent,
        m.mailbox,
        m.uidvalidity,
        m.uid
    FROM email.messages AS m
    LEFT JOIN folders AS f ON f.account = m.account AND f.mailbox = m.mailbox
    LEFT JOIN email.flags AS g
        ON g.account = m.account
        AND g.mailbox = m.mailbox
        AND g.uidvalidity = m.uidvalidity
        AND g.uid = m.uid
        AND g._deleted_at IS NULL
    LEFT JOIN automatic AS a
        ON a.account = m.account AND a.mailbox = m.mailbox AND a.uidvalidity = m.uidvalidity AND a.uid = m.uid
    LEFT JOIN reports AS r
        ON r.account = m.account AND r.mailbox = m.mailbox AND r.uidvalidity = m.uidvalidity AND r.uid = m.uid
    LEFT JOIN named AS n
        ON n.account = m.account AND n.mailbox = m.mailbox AND n.uidvalidity = m.uidvalidity AND n.uid = m.uid
    WHERE m._deleted_at IS NULL
        AND COALESCE(f.role, '') NOT IN ('drafts', 'junk')
        AND (COALESCE(f.role, '') = 'sent' OR NOT COALESCE(g.draft, FALSE))
),
placed AS (
    SELECT
        c.*,
        MIN(c.received_at) OVER (PARTITION BY c.account, c.message_key) AS happened_at,
        MAX(CASE WHEN c.answered THEN 1 ELSE 0 END) OVER (PARTITION BY c.account, c.message_key) AS any_answered,
        COUNT(*) OVER (PARTITION BY c.account, c.message_key) AS copies,
        ROW_NUMBER() OVER (
            PARTITION BY c.account, c.message_key
            ORDER BY c.in_sent DESC, c.mailbox, c.uidvalidity, c.uid
        ) AS place
    FROM copies AS c
)
SELECT
    account,
    message_key,
    message_id,
    thread_id,
    CASE
        WHEN in_sent OR COALESCE(from_email, '') = LOWER(account) OR COALESCE(sender_email, '') = LOWER(account)
            THEN 'out'
        ELSE 'in'
    END AS direction,
    from_email,
    from_name,
    subject,
    happened_at,
    date AS written_at,
    date_zone AS written_zone,
    in_reply_to,
    automatic,
    report,
    CASE named WHEN 1 THEN 'to' WHEN 2 THEN 'cc' WHEN 3 THEN 'bcc' END AS addressed,
    any_answered = 1 AS flagged_answered,
    size,
    copies,
    mailbox,
    uidvalidity,
    uid
FROM placed
WHERE place = 1
