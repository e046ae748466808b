/* ---
title: Whoever writes code is in a calendar, and whoever calls meetings writes code
description: >-
  A commit author whose address is in no calendar (as organizer, attendee or owner of a calendar), or an organizer who
  never committed. Often one person with two addresses: add the other one to .mailmap or to the calendar; or somebody
  who has left, or an outsider.
severity: warn
owner: people
key: [email, seen_in]
--- */
WITH authors AS (
    SELECT
        LOWER(TRIM(author_email)) AS email,
        MAX(author_name) AS name,
        MIN(authored_at) AS first_seen_at,
        MAX(authored_at) AS last_seen_at,
        COUNT(*) AS times
    FROM version_control.commits
    WHERE _deleted_at IS NULL AND author_email LIKE '%@%'
    GROUP BY LOWER(TRIM(author_email))
),
organizers AS (
    SELECT
        LOWER(TRIM(organizer_email)) AS email,
        MAX(organizer_name) AS name,
        MIN(starts_at) AS first_seen_at,
        MAX(starts_at) AS last_seen_at,
        COUNT(DISTINCT uid) AS times
    FROM calendar.events
    WHERE _deleted_at IS NULL AND organizer_email LIKE '%@%'
    GROUP BY LOWER(TRIM(organizer_email))
),
invited AS (
    SELECT DISTINCT LOWER(TRIM(email)) AS email
    FROM calendar.attendees
    WHERE _deleted_at IS NULL AND email IS NOT NULL
),
owners AS (
    -- The owner is the path of a principal, such as /alice/ or /principals/alice@example.com/.
    SELECT DISTINCT LOWER(REVERSE(SPLIT_PART(REVERSE(RTRIM(owner, '/')), '/', 1))) AS login
    FROM calendar.calendars
    WHERE _deleted_at IS NULL AND owner IS NOT NULL
)
SELECT
    a.email,
    a.name,
    'version_control' AS seen_in,
    'calendar' AS missing_in,
    a.first_seen_at,
    a.last_seen_at,
    a.times AS commits,
    CAST(NULL AS BIGINT) AS events
FROM authors AS a
LEFT JOIN organizers AS o ON o.email = a.email
LEFT JOIN invited AS i ON i.email = a.email
LEFT JOIN owners AS w ON w.login = a.email
LEFT JOIN owners AS v ON v.login = SPLIT_PART(a.email, '@', 1)
WHERE o.email IS NULL AND i.email IS NULL AND w.login IS NULL AND v.login IS NULL
UNION ALL
SELECT
    o.email,
    o.name,
    'calendar' AS seen_in,
    'version_control' AS missing_in,
    o.first_seen_at,
    o.last_seen_at,
    CAST(NULL AS BIGINT) AS commits,
    o.times AS events
FROM organizers AS o
LEFT JOIN authors AS a ON a.email = o.email
WHERE a.email IS NULL
