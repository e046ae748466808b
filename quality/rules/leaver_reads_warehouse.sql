/* ---
title: Nobody who left can read the warehouse directly
description: >-
  Somebody whose account was deactivated or deleted still has an account that may read the warehouse without leat: a
  login role of Postgres, or a user in a group that may read a published file. With each run, leat takes such accounts
  out of its roles of the server. It can't where it has lost the right to, and it never changes groups of the operating
  system.
next_step: >-
  Run `leat access apply`, which says what prevents it. If enforced_by names a group, remove the user from that group.
severity: warn
owner: security
key: [person_id, account, enforced_by]
--- */
SELECT
    p.person_id,
    p.name,
    p.email,
    p.left_at,
    g.account,
    g.role,
    g.enforced_by,
    g.noticed_at
FROM leat.access_grants AS g
JOIN sso.users AS u ON LOWER(u.user_name) = LOWER(g.account) OR LOWER(u.email) = LOWER(g.account)
JOIN people AS p ON p.person_id = u.id
WHERE p.left_at < $now
