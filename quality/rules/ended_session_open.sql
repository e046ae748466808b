/* ---
title: Sessions that leat ended stay ended
description: >-
  leat ended a session and confirmed it, and now the identity provider lists it as open. A new session of the same
  person is none of this rule. Only confirmations of the last days are watched, and only once the provider has been read
  again since.
next_step: >-
  End it again. If it comes back, the provider or the application restores sessions, for example from a backup: ask
  whoever runs it.
severity: warn
owner: security
key: [action_id, session_id]
needs: [platform, sso]
tolerance: {watched: P30D}
--- */
WITH readings AS (
    SELECT MAX(started_at) AS at
    FROM platform.runs
    WHERE _deleted_at IS NULL AND integration = 'sso' AND status IN ('loaded', 'nothing_new')
)
SELECT
    a.id AS action_id,
    s.id AS session_id,
    s.user_id,
    u.user_name,
    s.application_id,
    s.started_at,
    s.expires_at,
    a.verb,
    a.updated_at AS confirmed_at,
    a.automation
FROM platform.actions AS a
CROSS JOIN readings AS r
JOIN sso.sessions AS s ON STRPOS(CAST(CAST(a.receipt AS JSON) -> '$.sessions' AS VARCHAR), '"' || s.id || '"') > 0
LEFT JOIN sso.users AS u ON u.id = s.user_id AND u._deleted_at IS NULL
WHERE a._deleted_at IS NULL
    AND s._deleted_at IS NULL
    AND (s.revoked_at IS NULL OR s.revoked_at > $now)
    AND (s.expires_at IS NULL OR s.expires_at > $now)
    AND a.integration = 'sso'
    AND a.verb IN ('end_session', 'end_sessions', 'offboard')
    AND a.state = 'confirmed'
    AND a.updated_at > $now - $watched
    AND a.updated_at < r.at
