/* ---
title: Nobody who left has an application
description: >-
  Somebody whose account was deactivated still has an application assigned, which may occupy a licence, or let them in
  with its own password. This excludes what a person did rather than the company: a consent that an application may
  see their profile (origin consent), or the use of one (origin token); their sessions have a separate rule. The
  tolerance is the time allowed after somebody has left.
next_step: Remove the assignment at the identity provider, and the account in the application.
severity: warn
owner: security
key: [person_id, application_id]
tolerance: {settle: P1D}
--- */
SELECT
    p.person_id,
    p.name,
    p.email,
    p.left_at,
    a.application_id,
    x.name AS application_name,
    a.origin,
    a.granted_at
FROM sso.app_assignments AS a
JOIN sso.users AS u ON u.id = a.user_id AND u._deleted_at IS NULL
JOIN people AS p ON p.person_id = a.user_id
LEFT JOIN sso.applications AS x ON x.id = a.application_id AND x._deleted_at IS NULL
WHERE a._deleted_at IS NULL
    AND a.revoked_at IS NULL
    AND COALESCE(a.origin, '') NOT IN ('consent', 'token')
    AND p.left_at < $now - $settle
