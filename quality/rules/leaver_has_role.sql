/* ---
title: Nobody who left has a role
description: >-
  Somebody whose account was deactivated still has a role. If the account is reactivated, or another system looks only
  at the role, they have all of its permissions. The tolerance is the time allowed after somebody has left.
next_step: Remove the person's role at the identity provider.
severity: warn
owner: security
key: [person_id, role_id]
tolerance: {settle: P1D}
--- */
SELECT
    p.person_id,
    p.name,
    p.email,
    p.left_at,
    a.role_id,
    r.name AS role_name,
    r.permissions
FROM sso.role_assignments AS a
JOIN sso.users AS u ON u.id = a.member_id AND u._deleted_at IS NULL
JOIN people AS p ON p.person_id = a.member_id
LEFT JOIN sso.roles AS r ON r.id = a.role_id AND r._deleted_at IS NULL
WHERE a._deleted_at IS NULL
    AND COALESCE(a.member_type, 'User') = 'User'
    AND p.left_at < $now - $settle
