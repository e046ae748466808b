/* ---
description: >-
  The owner of each calendar: their address, if the login is an address or SSO has it. Calendars without a resolved
  owner are here too, without an address.
grain: [calendar]
owners: [people]
optional: [sso]
columns:
  calendar: Path of the calendar on the server.
  name: Name shown to people.
  login: Login of the owner; the last part of its path.
  email: Address of the owner, lower case; null if it can't be resolved.
  timezone: Time zone of the calendar, where the server has one.
checks:
  - unique: [calendar]
  - not_null: [calendar]
--- */
WITH owned AS (
    SELECT calendar, name, timezone, REPLACE(LOWER(REGEXP_REPLACE(REGEXP_REPLACE(owner, '/$', ''), '^.*/', '')), '%40', '@') AS login
    FROM calendar.calendars
    WHERE _deleted_at IS NULL
),
users AS (
    SELECT LOWER(user_name) AS login, MIN(LOWER(email)) AS email
    FROM sso.users
    WHERE _deleted_at IS NULL AND email IS NOT NULL
    GROUP BY LOWER(user_name)
)
SELECT
    o.calendar,
    o.name,
    o.login,
    CASE WHEN o.login LIKE '%@%' THEN o.login ELSE u.email END AS email,
    o.timezone
FROM owned AS o
LEFT JOIN users AS u ON u.login = o.login
