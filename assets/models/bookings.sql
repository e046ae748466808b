/* ---
description: >-
  A time at which a person or room is booked: organizes, attends and hasn't declined or delegated, or has the event in
  a calendar of their own without attendees. What is cancelled, doesn't block time or takes none is left out, and who
  is only informed (NON-PARTICIPANT). An event in several calendars counts once.
owners: [people]
columns:
  email: Address of the person or room.
  uid: UID of the event; the same for a whole series.
  occurrence_id: Which time of the series.
  summary: Title.
  kind: INDIVIDUAL, ROOM or RESOURCE.
  starts_at: Start; all-day and floating times are read in the zone of the person.
  ends_at: End, exclusive.
  starts_local: Start on the wall clock of the person's own zone, as calendar_people has it.
  ends_local: End on that wall clock, exclusive.
  all_day: Whether it takes whole days.
  organizes: Whether the person organizes it or it is in their calendar alone.
  tentative: Whether the event is tentative or the person hasn't accepted it.
checks:
  - unique: [email, uid, occurrence_id]
  - not_null: [email, uid, occurrence_id, starts_at, ends_at]
  - foreign_key: {email: calendar_people.email}
--- */
WITH happening AS (
    SELECT
        o.calendar,
        o.href,
        o.uid,
        o.recurrence_id,
        o.occurrence_id,
        o.summary,
        COALESCE(o.status, 'CONFIRMED') AS status,
        o.starts_at,
        o.ends_at,
        o.starts_local,
        o.ends_local,
        COALESCE(o.all_day, FALSE) AS all_day,
        COALESCE(o.all_day, FALSE) OR COALESCE(o.floating, FALSE) AS floating
    FROM calendar.occurrences AS o
    WHERE o._deleted_at IS NULL
        AND COALESCE(o.status, 'CONFIRMED') <> 'CANCELLED'
        AND COALESCE(o.transparency, 'OPAQUE') <> 'TRANSPARENT'
        AND o.starts_local IS NOT NULL
        AND o.ends_at > o.starts_at
),
attending AS (
    SELECT
        calendar,
        href,
        uid,
        recurrence_id,
        email,
        CASE WHEN COALESCE(response_status, 'NEEDS-ACTION') IN ('DECLINED', 'DELEGATED') THEN 1 ELSE 0 END AS declined,
        CASE WHEN response_status = 'ACCEPTED' THEN 1 ELSE 0 END AS accepted
    FROM calendar.attendees
    WHERE _deleted_at IS NULL
        AND email IS NOT NULL
        AND COALESCE(kind, 'INDIVIDUAL') <> 'GROUP'
        AND COALESCE(role, 'REQ-PARTICIPANT') <> 'NON-PARTICIPANT'
),
attended AS (
    SELECT DISTINCT calendar, href, uid, recurrence_id FROM calendar.attendees WHERE _deleted_at IS NULL
),
involved AS (
    SELECT *, 0 AS organizes FROM attending
    UNION ALL
    SELECT calendar, href, uid, recurrence_id, organizer_email, 0, 1, 1
    FROM calendar.events
    WHERE _deleted_at IS NULL AND organizer_email IS NOT NULL
    UNION ALL
    SELECT e.calendar, e.href, e.uid, e.recurrence_id, w.email, 0, 1, 1
    FROM calendar.events AS e
    JOIN calendar_owners AS w ON w.calendar = e.calendar
    LEFT JOIN attended AS a
        ON a.calendar = e.calendar AND a.href = e.href AND a.uid = e.uid AND a.recurrence_id = e.recurrence_id
    WHERE e._deleted_at IS NULL AND e.organizer_email IS NULL AND w.email IS NOT NULL AND a.uid IS NULL
),
booked AS (
    -- One meeting may be in several calendars, with the answer known in one of them only.
    SELECT
        i.email,
        h.uid,
        h.occurrence_id,
        MIN(h.summary) AS summary,
        MIN(h.starts_at) AS starts_at,
        MIN(h.ends_at) AS ends_at,
        MIN(h.starts_local) AS starts_local,
        MIN(h.ends_local) AS ends_local,
        MAX(CASE WHEN h.all_day THEN 1 ELSE 0 END) = 1 AS all_day,
        MAX(CASE WHEN h.floating THEN 1 ELSE 0 END) = 1 AS floating,
        MAX(i.organizes) = 1 AS organizes,
        MIN(CASE WHEN h.status = 'TENTATIVE' OR i.accepted = 0 THEN 1 ELSE 0 END) = 1 AS tentative
    FROM happening AS h
    JOIN involved AS i
        ON i.calendar = h.calendar
        AND i.href = h.href
        AND i.uid = h.uid
        AND i.recurrence_id = h.recurrence_id
    GROUP BY i.email, h.uid, h.occurrence_id
    HAVING MAX(i.declined) = 0
)
SELECT
    b.email,
    b.uid,
    b.occurrence_id,
    b.summary,
    p.kind,
    CASE WHEN b.floating THEN b.starts_local AT TIME ZONE p.timezone ELSE b.starts_at END AS starts_at,
    CASE WHEN b.floating THEN b.ends_local AT TIME ZONE p.timezone ELSE b.ends_at END AS ends_at,
    CASE WHEN b.floating THEN b.starts_local ELSE b.starts_at AT TIME ZONE p.timezone END AS starts_local,
    CASE WHEN b.floating THEN b.ends_local ELSE b.ends_at AT TIME ZONE p.timezone END AS ends_local,
    b.all_day,
    b.organizes,
    b.tentative
FROM booked AS b
JOIN calendar_people AS p ON p.email = b.email
