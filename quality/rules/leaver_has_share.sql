/* ---
title: Nobody who left may see other people's calendars
description: >-
  A calendar is still shared with somebody whose account was deactivated or deleted. This excludes shares that the
  owner has switched off, and a person's own calendars. The tolerance is the time allowed after somebody has left.
next_step: Ask the calendar's owner to end the share.
severity: warn
owner: security
key: [person_id, calendar]
sides:
  sso: [person_id, name, email, left_at]
  calendar: [calendar, calendar_name, calendar_owner, shared_with, access, shared_at]
needs: [sso]
tolerance: {settle: P1D}
--- */
SELECT
    p.person_id,
    MAX(p.name) AS name,
    MAX(p.email) AS email,
    MAX(p.left_at) AS left_at,
    s.calendar,
    MAX(c.name) AS calendar_name,
    MAX(c.owner) AS calendar_owner,
    MAX(s.principal) AS shared_with,
    MAX(s.access) AS access,
    MIN(s.created) AS shared_at
FROM calendar.shares AS s
JOIN identities AS i
    ON i.system = 'calendar'
    AND i.kind = 'calendar guest'
    AND i.identity
        = REGEXP_REPLACE(LOWER(TRIM(REVERSE(SPLIT_PART(REVERSE(RTRIM(s.principal, '/')), '/', 1)))), '^mailto:', '')
JOIN people AS p ON p.person_id = i.person_id
LEFT JOIN calendar.calendars AS c ON c.calendar = s.calendar AND c._deleted_at IS NULL
WHERE s._deleted_at IS NULL
    AND s.kind = 'user'
    AND COALESCE(s.enabled_by_owner, TRUE)
    AND p.left_at < $now - $settle
GROUP BY p.person_id, s.calendar
