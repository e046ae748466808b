/* ---
title: Whoever left is in no group
description: >-
  Somebody whose account was deactivated is still in a group: should the account be activated again, or another system
  take its rights from the group alone, they have them all. The tolerance is the time that there is for it after
  somebody has left. Groups that only follow from another group are left out, and groups that are roles have a rule of
  their own.
next_step: Take the person out of the group at the identity provider.
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
