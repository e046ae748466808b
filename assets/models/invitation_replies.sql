/* ---
description: >-
  The latest reply of each attendee that arrived by mail (iMIP, RFC 6047), for each event, series or occurrence. An
  authentic reply counts before one that isn't; of several, the one to the highest revision counts, and then the one
  that was made last (RFC 5546, 2.1.5). Replies in drafts, junk and trash are left out.
owners: [people]
optional: [calendar]
columns:
  event_uid: UID of the event.
  recurrence_id: Empty for an event or series; for one occurrence its original start.
  attendee_email: Who answered, lower case.
  response_status: ACCEPTED, DECLINED, TENTATIVE or DELEGATED.
  sequence: Revision of the event that was answered.
  stamped_at: When the reply was made, according to its author's program.
  received_at: When the mail server received it.
  comment: What the attendee added.
  organizer_email: Whom the reply is for, lower case.
  message_id: Message-ID of the mail.
  authentic: >-
    Whether the mail is from the attendee's address and DMARC passed, or the receiving server has checked nothing. DKIM
    and SPF without DMARC prove nothing of the address.
  calendar: >-
    Calendar that has the event with this organizer, or for an occurrence its series; the first in order of their paths,
    null if there is none.
  outdated: Whether the event there has a higher revision than was answered.
  recorded: Whether the event there has the answer; of an occurrence, whether it is an event of its own that has it.
checks:
  - unique: [event_uid, recurrence_id, attendee_email]
  - not_null: [event_uid, recurrence_id, attendee_email, response_status, authentic, outdated, recorded]
--- */
WITH replies AS (
    SELECT
        i.event_uid,
        i.recurrence_id,
        i.attendee_email,
        i.response_status,
        COALESCE(i.sequence, 0) AS sequence,
        i.stamped_at,
        m.received_at,
        i.comment,
        i.organizer_email,
        m.message_id,
        COALESCE(m.from_email, '') = i.attendee_email
            -- DKIM and SPF alone prove some domain, and not that of the address.
            AND COALESCE(m.dmarc, CASE WHEN m.dkim IS NULL AND m.spf IS NULL THEN 'pass' END, 'none') = 'pass'
            AS authentic
    FROM email.invitations AS i
    JOIN email.messages AS m
        ON m.account = i.account AND m.mailbox = i.mailbox AND m.uidvalidity = i.uidvalidity AND m.uid = i.uid
    LEFT JOIN email.mailboxes AS b ON b.account = i.account AND b.mailbox = i.mailbox AND b._deleted_at IS NULL
    WHERE i._deleted_at IS NULL
        AND m._deleted_at IS NULL
        AND i.method = 'REPLY'
        AND i.attendee_email IS NOT NULL
        AND i.response_status IN ('ACCEPTED', 'DECLINED', 'TENTATIVE', 'DELEGATED')
        AND COALESCE(b.role, '') NOT IN ('drafts', 'junk', 'trash')
),
ranked AS (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY event_uid, recurrence_id, attendee_email
            ORDER BY CASE WHEN authentic THEN 0 ELSE 1 END, sequence DESC, stamped_at DESC NULLS LAST,
                received_at DESC NULLS LAST, message_id, response_status
        ) AS place
    FROM replies
),
events AS (
    SELECT uid, recurrence_id, organizer_email, MIN(calendar) AS calendar, MAX(COALESCE(sequence, 0)) AS sequence
    FROM calendar.events
    WHERE _deleted_at IS NULL
    GROUP BY uid, recurrence_id, organizer_email
),
answers AS (
    SELECT calendar, uid, recurrence_id, email, MAX(response_status) AS answer
    FROM calendar.attendees
    WHERE _deleted_at IS NULL AND email IS NOT NULL
    GROUP BY calendar, uid, recurrence_id, email
)
SELECT
    r.event_uid,
    r.recurrence_id,
    r.attendee_email,
    r.response_status,
    r.sequence,
    r.stamped_at,
    r.received_at,
    r.comment,
    r.organizer_email,
    r.message_id,
    r.authentic,
    COALESCE(e.calendar, s.calendar) AS calendar,
    COALESCE(r.sequence < COALESCE(e.sequence, s.sequence), FALSE) AS outdated,
    COALESCE(r.response_status = a.answer, FALSE) AS recorded
FROM ranked AS r
LEFT JOIN events AS e
    ON e.uid = r.event_uid AND e.recurrence_id = r.recurrence_id AND e.organizer_email = r.organizer_email
-- An occurrence is no event of its own unless something of it was changed.
LEFT JOIN events AS s
    ON s.uid = r.event_uid AND s.recurrence_id = '' AND s.organizer_email = r.organizer_email
LEFT JOIN answers AS a
    ON a.uid = r.event_uid
    AND a.recurrence_id = r.recurrence_id
    AND a.calendar = e.calendar
    AND a.email = r.attendee_email
WHERE r.place = 1
