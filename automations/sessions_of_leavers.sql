SELECT p.person_id, s.id AS session_id
FROM people AS p
JOIN sso.sessions AS s ON s.user_id = p.person_id
WHERE s._deleted_at IS NULL
    AND (s.revoked_at IS NULL OR s.revoked_at > $now)
    AND (s.expires_at IS NULL OR s.expires_at > $now)
