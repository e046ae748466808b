/* ---
title: Nobody who left has a session
description: >-
  Somebody whose account was deactivated or deleted has a session that neither ended nor expired: the application
  still lets them in. The tolerance is the time that it takes to end sessions after an account is deactivated.
next_step: End the person's sessions at the identity provider, and sign them out in the application.
severity: warn
owner: security
key: [person_id]
tolerance: {settle: PT1H}
--- */
WITH opened AS (
    SELECT
        p.person_id,
        p.name,
        p.email,
        p.left_at,
        s.id,
        s.started_at,
        s.expires_at,
        s.renewable,
        a.name AS application_name,
        ROW_NUMBER() OVER (PARTITION BY p.person_id ORDER BY s.started_at DESC, s.id) AS position
    FROM sso.sessions AS s
    JOIN people AS p ON p.person_id = s.user_id
    LEFT JOIN sso.applications AS a ON a.id = s.application_id AND a._deleted_at IS NULL
    WHERE s._deleted_at IS NULL
        AND (s.revoked_at IS NULL OR s.revoked_at > $now)
        AND (s.expires_at IS NULL OR s.expires_at > $now)
        AND p.left_at < $now - $settle
)
SELECT
    person_id,
    MAX(name) AS name,
    MAX(email) AS email,
    MAX(left_at) AS left_at,
    COUNT(*) AS sessions,
    MAX(CASE WHEN position = 1 THEN id END) AS last_session,
    MAX(CASE WHEN position = 1 THEN application_name END) AS last_application,
    MAX(CASE WHEN position = 1 THEN started_at END) AS last_started_at,
    MAX(expires_at) AS open_until,
    BOOL_OR(COALESCE(renewable, FALSE)) AS renewable
FROM opened
GROUP BY person_id
