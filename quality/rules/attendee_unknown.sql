/* ---
title: Every attendee of a meeting exists
description: >-
  The address of an attendee belongs to no account, no contact or company of the CRM, no customer and no mailbox, and
  no mail ever came from it from outside. Often it is a typing error, or somebody from outside who isn't in the CRM
  yet: they get no invitation, or the wrong person does. This excludes rooms, groups, cancelled meetings, and
  attendees who organize. Only meetings in the period that the calendar expands count. Meetings created within the
  tolerance wait for the account of a new colleague, if the server reports the time.
next_step: Ask the organizer whom they meant. Correct the address in the meeting, or add the person to the CRM.
severity: warn
owner: people
key: [attendee_email]
sides:
  calendar: [attendee_name, meetings, next_at, first_meeting, first_at, first_calendar, organizer_email,
    response_status]
  sso: [identity_provider]
needs: [sso]
tolerance: {settle: P2D}
--- */
WITH unknown AS (
    SELECT identity
    FROM identities
    WHERE system = 'calendar' AND kind = 'attendee' AND resolved_to = 'unresolved'
),
exists_elsewhere AS (
    -- A mail that says to come from our own domain may be forged, so it proves nobody. Organizers have their own rule.
    SELECT DISTINCT i.identity
    FROM identities AS i
    LEFT JOIN our_domains AS d ON d.domain = SPLIT_PART(i.identity, '@', 2)
    WHERE (i.system = 'email' AND i.kind = 'mailbox')
        OR (i.system = 'email' AND i.kind = 'sender' AND d.domain IS NULL)
        OR (i.system = 'payments' AND i.kind = 'customer')
        OR (i.system = 'calendar' AND i.kind = 'organizer')
),
meetings AS (
    SELECT
        u.identity AS attendee_email,
        a.name AS attendee_name,
        a.response_status,
        e.uid,
        e.summary,
        e.calendar,
        e.organizer_email,
        o.starts_at,
        ROW_NUMBER() OVER (
            PARTITION BY u.identity ORDER BY o.starts_at, e.uid, e.calendar, o.occurrence_id
        ) AS position
    FROM calendar.attendees AS a
    JOIN unknown AS u ON u.identity = REGEXP_REPLACE(LOWER(TRIM(COALESCE(a.email, a.address))), '^mailto:', '')
    LEFT JOIN exists_elsewhere AS x ON x.identity = u.identity
    JOIN calendar.events AS e
        ON e.calendar = a.calendar AND e.href = a.href AND e.uid = a.uid AND e.recurrence_id = a.recurrence_id
    JOIN calendar.occurrences AS o
        ON o.calendar = e.calendar AND o.href = e.href AND o.uid = e.uid AND o.recurrence_id = e.recurrence_id
    WHERE a._deleted_at IS NULL
        AND e._deleted_at IS NULL
        AND o._deleted_at IS NULL
        AND x.identity IS NULL
        AND COALESCE(UPPER(a.kind), 'INDIVIDUAL') NOT IN ('ROOM', 'RESOURCE', 'GROUP')
        AND COALESCE(o.status, e.status, 'CONFIRMED') <> 'CANCELLED'
        AND (COALESCE(e.created, e.last_modified) IS NULL OR COALESCE(e.created, e.last_modified) < $now - $settle)
)
SELECT
    attendee_email,
    MAX(attendee_name) AS attendee_name,
    COUNT(DISTINCT uid) AS meetings,
    MIN(starts_at) FILTER (WHERE starts_at >= $now) AS next_at,
    MAX(CASE WHEN position = 1 THEN summary END) AS first_meeting,
    MAX(CASE WHEN position = 1 THEN starts_at END) AS first_at,
    MAX(CASE WHEN position = 1 THEN calendar END) AS first_calendar,
    MAX(CASE WHEN position = 1 THEN organizer_email END) AS organizer_email,
    MAX(CASE WHEN position = 1 THEN response_status END) AS response_status,
    'no account, contact, customer or mailbox has this address' AS identity_provider
FROM meetings
GROUP BY attendee_email
