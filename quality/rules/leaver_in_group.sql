/* ---
title: Nobody who left is in a group
description: >-
  Somebody whose account was deactivated is still in a group. If the account is reactivated, or another system looks
  only at the group, they have all of its permissions. The tolerance is the time allowed after somebody has left. This
  excludes groups that follow only from another group, and groups that are roles, which have a separate rule.
next_step: Remove the person from the group at the identity provider.
severity: warn
owner: security
key: [person_id, group_id]
tolerance: {settle: P1D}
--- */
SELECT
    p.person_id,
    p.name,
    p.email,
    p.left_at,
    m.group_id,
    g.name AS group_name
FROM sso.group_members AS m
JOIN sso.users AS u ON u.id = m.member_id AND u._deleted_at IS NULL
JOIN people AS p ON p.person_id = m.member_id
LEFT JOIN sso.groups AS g ON g.id = m.group_id AND g._deleted_at IS NULL
LEFT JOIN sso.roles AS r ON r.group_id = m.group_id AND r._deleted_at IS NULL
WHERE m._deleted_at IS NULL
    AND COALESCE(m.direct, TRUE)
    AND COALESCE(m.member_type, 'User') = 'User'
    AND r.id IS NULL
    AND p.left_at < $now - $settle
