/* ---
title: Every organizer of a meeting is a user or a contact
description: >-
  The address of an organizer belongs to no account, no contact or company of the CRM, and no shared mailbox. Often it
  is a partner who isn't in the CRM yet, a colleague's private address, or an account that never existed. Only
  meetings in the period that the calendar expands (connection.window_days_back and _ahead) count, and only if they
  aren't cancelled. Meetings created within the tolerance wait for the account of a new colleague; some servers don't
  report the time.
next_step: Ask an attendee who it is. Add them to the CRM, or move the meeting to somebody who has an account.
severity: warn
owner: people
key: [organizer_email]
sides:
  calendar: [organizer_name, meetings, first_at, last_at, next_at, first_meeting, first_calendar]
  sso: [identity_provider]
needs: [sso]
tolerance: {settle: P2D}
--- */
WITH unknown AS (
    SELECT identity
    FROM identities
    WHERE system = 'calendar' AND kind = 'organizer' AND resolved_to = 'unresolved'
),
meetings AS (
    SELECT
        u.identity AS organizer_email,
        e.organizer_name,
        e.uid,
        e.summary,
        e.calendar,
        o.starts_at,
        ROW_NUMBER() OVER (
            PARTITION BY u.identity ORDER BY o.starts_at, e.uid, e.calendar, o.occurrence_id
        ) AS position
    FROM calendar.events AS e
    JOIN unknown AS u ON u.identity = REGEXP_REPLACE(LOWER(TRIM(e.organizer_email)), '^mailto:', '')
    JOIN calendar.occurrences AS o
        ON o.calendar = e.calendar AND o.href = e.href AND o.uid = e.uid AND o.recurrence_id = e.recurrence_id
    WHERE e._deleted_at IS NULL
        AND o._deleted_at IS NULL
        AND COALESCE(o.status, e.status, 'CONFIRMED') <> 'CANCELLED'
        AND (COALESCE(e.created, e.last_modified) IS NULL OR COALESCE(e.created, e.last_modified) < $now - $settle)
)
SELECT
    organizer_email,
    MAX(organizer_name) AS organizer_name,
    COUNT(DISTINCT uid) AS meetings,
    MIN(starts_at) AS first_at,
    MAX(starts_at) AS last_at,
    MIN(starts_at) FILTER (WHERE starts_at >= $now) AS next_at,
    MAX(CASE WHEN position = 1 THEN summary END) AS first_meeting,
    MAX(CASE WHEN position = 1 THEN calendar END) AS first_calendar,
    'no account, contact or shared mailbox has this address' AS identity_provider
FROM meetings
GROUP BY organizer_email
