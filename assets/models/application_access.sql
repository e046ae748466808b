/* ---
description: Who uses each application of single sign-on, and which sessions of it are open.
owners: [security]
columns:
  application_id: The application.
  client_id: Name by which it signs in.
  application: Name of the application.
  users: Accounts that use it, those left out that withdrew from it.
  inactive_users: Those that are deactivated or no longer exist.
  last_granted_at: When somebody last agreed, or first used it; null when nobody did.
  open_sessions: Sessions that have neither run out nor been ended.
  session_users: Accounts that have one.
  inactive_session_users: Those that are deactivated or no longer exist.
  renewable_sessions: Open sessions that it can renew without the person.
  oldest_session_days: Whole days since the oldest open session began, up to the last load; null without one.
  sessions_30_days: Open sessions that began 30 days ago or more.
checks:
  - unique: [application_id]
  - not_null: [application_id]
  - range: {users: {min: 0}, open_sessions: {min: 0}}
--- */
WITH used AS (
    SELECT
        a.application_id,
        COUNT(*) AS users,
        COUNT(*) FILTER (WHERE NOT COALESCE(u.active, u.id IS NOT NULL)) AS inactive_users,
        MAX(a.granted_at) AS last_granted_at
    FROM sso.app_assignments AS a
    LEFT JOIN sso.users AS u ON u.id = a.user_id AND u._deleted_at IS NULL
    WHERE a._deleted_at IS NULL AND a.revoked_at IS NULL
    GROUP BY a.application_id
),
opened AS (
    SELECT
        application_id,
        COUNT(*) AS open_sessions,
        COUNT(DISTINCT user_id) AS session_users,
        COUNT(DISTINCT CASE WHEN NOT user_active THEN user_id END) AS inactive_session_users,
        COUNT(*) FILTER (WHERE renewable) AS renewable_sessions,
        MAX(age_days) AS oldest_session_days,
        COUNT(*) FILTER (WHERE age_days >= 30) AS sessions_30_days
    FROM open_sessions
    GROUP BY application_id
)
SELECT
    a.id AS application_id,
    a.client_id,
    a.name AS application,
    COALESCE(u.users, 0) AS users,
    COALESCE(u.inactive_users, 0) AS inactive_users,
    u.last_granted_at,
    COALESCE(o.open_sessions, 0) AS open_sessions,
    COALESCE(o.session_users, 0) AS session_users,
    COALESCE(o.inactive_session_users, 0) AS inactive_session_users,
    COALESCE(o.renewable_sessions, 0) AS renewable_sessions,
    o.oldest_session_days,
    COALESCE(o.sessions_30_days, 0) AS sessions_30_days
FROM sso.applications AS a
LEFT JOIN used AS u ON u.application_id = a.id
LEFT JOIN opened AS o ON o.application_id = a.id
WHERE a._deleted_at IS NULL
