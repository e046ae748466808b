/* ---
description: >-
  Every session that had neither expired nor ended at the last load of single sign-on. Not every provider can list the
  sessions of browsers: at Canaille these are the tokens of applications.
owners: [security]
columns:
  session_id: The session.
  user_id: The account.
  user_name: Its login; null if the account doesn't exist.
  email: Its main mail address, lower case; null when there is none.
  user_active: Whether the account may sign in; false if it doesn't exist.
  application_id: The application.
  application: Name of the application; null if it doesn't exist.
  started_at: When it began.
  age_days: Whole days from then to the last load.
  expires_at: When it ends by itself; null for never.
  days_left: Whole days from the last load until then; null for never.
  renewable: Whether the application can renew it without the person.
checks:
  - unique: [session_id]
  - not_null: [session_id, user_active]
  - range: {age_days: {min: 0}, days_left: {min: 0}}
--- */
WITH loaded AS (
    SELECT MAX(applied_at) AS at FROM leat.loads WHERE integration = 'sso'
),
opened AS (
    SELECT
        s.*,
        CAST(FLOOR((EXTRACT(EPOCH FROM l.at) - EXTRACT(EPOCH FROM s.started_at)) / 86400) AS BIGINT) AS age,
        CAST(FLOOR((EXTRACT(EPOCH FROM s.expires_at) - EXTRACT(EPOCH FROM l.at)) / 86400) AS BIGINT) AS days_left
    FROM sso.sessions AS s
    CROSS JOIN loaded AS l
    WHERE s._deleted_at IS NULL
        AND (s.expires_at IS NULL OR s.expires_at > l.at)
        AND (s.revoked_at IS NULL OR s.revoked_at > l.at)
)
SELECT
    s.id AS session_id,
    s.user_id,
    u.user_name,
    LOWER(u.email) AS email,
    COALESCE(u.active, u.id IS NOT NULL) AS user_active,
    s.application_id,
    a.name AS application,
    s.started_at,
    CASE WHEN s.age < 0 THEN 0 ELSE s.age END AS age_days,
    s.expires_at,
    s.days_left,
    s.renewable
FROM opened AS s
LEFT JOIN sso.users AS u ON u.id = s.user_id AND u._deleted_at IS NULL
LEFT JOIN sso.applications AS a ON a.id = s.application_id AND a._deleted_at IS NULL
